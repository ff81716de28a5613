// SPDX-License-Identifier: Apache-2.0
// Tells each guest the policy of its port, by a frame that goes to that port and nowhere else.
//
// The frame is handed to the port's driver (announcement_socket.hh): neither the bridge nor any qdisc, filter
// or chain sees it, so it reaches a guest whose port is closed as well, and cannot stray. Its source is the
// port's own MAC, as a switch's own frames have it (IEEE 802.1AB): the guest's system may learn it and is not
// misled, whereas the guest's MAC or a made-up one would be someone else's.
//
// A thread of its own sends, so that no lock of the daemon is held meanwhile: at once what is new or has
// changed, again a moment later (the guest may be late), then each second.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "base/result.hh"
#include "linux/announcement_socket.hh"
#include "vmswitch/announced_policy.hh"

namespace nlb::vmswitch {

[[nodiscard]] std::string this_host_name();

class PolicyAnnouncer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<PolicyAnnouncer>> start();
  ~PolicyAnnouncer();
  PolicyAnnouncer(const PolicyAnnouncer&) = delete;
  PolicyAnnouncer& operator=(const PolicyAnnouncer&) = delete;

  // In place of everything that was announced before.
  void announce(const AnnouncedPolicies& policies);
  // Something else, once and at once, on the caller's thread.
  void tell(uint32_t ifindex, const std::vector<uint8_t>& payload) const { send({ifindex, payload}); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    wire::PolicyAnnouncement policy;
    std::vector<uint8_t> payload;
    Clock::time_point next;
    bool repeated_soon = false;
  };
  struct Due {
    uint32_t ifindex;
    std::vector<uint8_t> payload;
  };

  explicit PolicyAnnouncer(AnnouncementSocket socket);
  void run();
  [[nodiscard]] std::vector<Due> take_due(Clock::time_point now);
  [[nodiscard]] Clock::time_point next_due() const;
  void send(const Due& due) const;

  AnnouncementSocket socket_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint32_t, Entry> entries_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace nlb::vmswitch
