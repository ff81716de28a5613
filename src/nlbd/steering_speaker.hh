// SPDX-License-Identifier: Apache-2.0
// Tells the switch in front of this host which buckets its filter may take, so that the switch need not carry
// the others to it (docs/protocol/steering-announcement.md, docs/decisions/0015). Speaks only while the
// switch says that it steers.
//
// The order is the point. Before the filter is let accept more, the switch is told that something changes:
// from that frame on it gives this host everything. When all is written and has been so for a moment, the
// switch is told what the filter accepts now. Each of the two is a generation of its own, and none is spoken
// of again once there is a newer one.
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hh"
#include "core/bucket_state.hh"
#include "linux/announcement_socket.hh"
#include "linux/clock.hh"
#include "wire/steering_announcement.hh"

namespace nlb {

class SteeringSpeaker {
 public:
  [[nodiscard]] static Result<std::unique_ptr<SteeringSpeaker>> start(const std::string& interface,
                                                                      const MacAddress& source);
  ~SteeringSpeaker();
  SteeringSpeaker(const SteeringSpeaker&) = delete;
  SteeringSpeaker& operator=(const SteeringSpeaker&) = delete;

  // The generation that the switch has in force; nullopt: it does not steer, or is silent.
  void on_switch(std::optional<uint32_t> in_force);
  void use_source(const MacAddress& source);

  // While one of these lives, the filter is being changed.
  class Change {
   public:
    // `grows`: the filter may accept more. When this returns, the switch was told.
    Change(SteeringSpeaker& speaker, bool grows) : speaker_(speaker) { speaker_.begin(grows); }
    ~Change() { speaker_.end(); }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    SteeringSpeaker& speaker_;
  };
  // `bound`: else the filter takes nothing, whatever the states of buckets are.
  [[nodiscard]] bool would_change(const wire::SteeringRules& rules, bool bound);
  // Is there a bucket that the filter would accept anew?
  [[nodiscard]] bool would_grow(std::size_t slot, const SlotStates& states);
  // What the filter is told, within a Change.
  void use_rules(const wire::SteeringRules& rules, bool bound);
  void use_states(std::size_t slot, const SlotStates& states);

  struct Status {
    bool speaks = false, in_transition = false;
    uint32_t generation = 0, in_force = 0;
  };
  [[nodiscard]] Status status();

 private:
  SteeringSpeaker(AnnouncementSocket socket, const MacAddress& source);
  void begin(bool grows);
  void end();
  void run();
  void next_generation();
  void say_mark();
  void fall_silent();
  [[nodiscard]] bool is_settled(Nanos now) const;
  [[nodiscard]] wire::SteeringContent content() const;
  void say_content(std::unique_lock<std::mutex>& lock);
  void send_all(std::unique_lock<std::mutex>& lock, const std::vector<std::vector<uint8_t>>& parts);

  AnnouncementSocket socket_;
  MacAddress source_;
  std::mutex mutex_;
  std::condition_variable changed_;
  wire::SteeringRules rules_;
  bool bound_ = false;
  std::array<std::optional<BucketSet>, kMaxSlots> accepts_;
  uint32_t generation_;
  bool speaks_ = false, in_transition_ = true;
  bool stale_ = false;  // the filter is another than what this generation stands for
  unsigned open_ = 0;   // changes
  Nanos settles_at_ = 0, next_at_ = 0;
  uint32_t in_force_ = 0, tries_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace nlb
