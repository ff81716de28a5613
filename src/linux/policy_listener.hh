// SPDX-License-Identifier: Apache-2.0
// Hears what the guard of the hypervisor's switch says about this adapter's port
// (docs/protocol/policy-announcement.md). A packet socket for that one EtherType and destination: nothing
// else wakes it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "linux/frame_socket.hh"
#include "wire/fence_notice.hh"
#include "wire/policy_announcement.hh"

namespace nlb {

inline constexpr Nanos kPolicyFresh = 3 * kSecond;  // it is said each second

struct HeardPolicy {
  wire::PolicyAnnouncement policy;   // without what is no policy:
  std::optional<uint32_t> steering;  // as there
  bool fences = false;               // as there
  Nanos heard_at = 0;
};

class PolicyListener {
 public:
  [[nodiscard]] static Result<std::unique_ptr<PolicyListener>> open(const std::string& interface);

  [[nodiscard]] int fd() const { return socket_->fd(); }
  void read();  // takes what waits
  // Notices of fences that were among it, and are of no other use.
  [[nodiscard]] std::vector<wire::FenceNotice> take_notices() { return std::exchange(notices_, {}); }
  // The newest, unless it is too old to be believed.
  [[nodiscard]] std::optional<HeardPolicy> fresh(Nanos now) const;

 private:
  explicit PolicyListener(std::unique_ptr<FrameSocket> socket) : socket_(std::move(socket)) {}
  void take(const ReceivedFrame& frame);

  std::unique_ptr<FrameSocket> socket_;
  std::optional<HeardPolicy> newest_;
  std::vector<wire::FenceNotice> notices_;
};

// Waits until an announcement was heard, or that time has come.
void wait_for_policy(PolicyListener& listener, Nanos until);

}  // namespace nlb
