// SPDX-License-Identifier: Apache-2.0
// A multicast MAC in an adapter's receive filter that outlives the process, as `ip maddress add` sets it.
//
// Not by an "fdb self" entry: the kernel refuses one (EEXIST) while a packet socket has joined the same
// group, and the group would then go with that socket. The ioctl's membership is counted apart ("global
// use").
#pragma once

#include <string>
#include <utility>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb {

// Idempotent; true = something was changed.
[[nodiscard]] Result<bool> join_group(const std::string& interface, const MacAddress& group);
[[nodiscard]] Result<bool> leave_group(const std::string& interface, const MacAddress& group);
[[nodiscard]] Result<bool> has_joined_group(const std::string& interface, const MacAddress& group);

// A membership by IGMP that ends with this object: before the bind, for its proof.
class GroupMembership {
 public:
  [[nodiscard]] static Result<GroupMembership> join(const std::string& interface, const IpAddress& group);
  GroupMembership(GroupMembership&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  GroupMembership& operator=(GroupMembership&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~GroupMembership();

 private:
  explicit GroupMembership(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace nlb
