// SPDX-License-Identifier: Apache-2.0
// A multicast MAC in an adapter's receive filter that outlives the process, as `ip maddress add` sets it.
//
// Not by an "fdb self" entry: the kernel refuses one (EEXIST) while a packet socket has joined the same
// group, and the group would then go with that socket. The ioctl's membership is counted apart ("global
// use").
#pragma once

#include <memory>
#include <string>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb {

// Idempotent; true = something was changed.
[[nodiscard]] Result<bool> join_group(const std::string& interface, const MacAddress& group);
[[nodiscard]] Result<bool> leave_group(const std::string& interface, const MacAddress& group);
[[nodiscard]] Result<bool> has_joined_group(const std::string& interface, const MacAddress& group);

// A membership by IGMP that ends with this object: peers are heard by it before the bind has one of its own.
class GroupMembership {
 public:
  // Joined at once.
  [[nodiscard]] static Result<std::unique_ptr<GroupMembership>> open(const std::string& interface,
                                                                     const IpAddress& group);
  GroupMembership(const GroupMembership&) = delete;
  GroupMembership& operator=(const GroupMembership&) = delete;
  ~GroupMembership();
  [[nodiscard]] const IpAddress& group() const { return group_; }
  // Idempotent.
  [[nodiscard]] Result<void> join();
  [[nodiscard]] Result<void> leave();

 private:
  GroupMembership(int fd, std::string interface, const IpAddress& group)
      : fd_(fd), interface_(std::move(interface)), group_(group) {}
  [[nodiscard]] Result<void> change(int option, int no_change, const char* what);
  int fd_;
  std::string interface_;
  IpAddress group_;
};

}  // namespace nlb
