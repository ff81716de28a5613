// SPDX-License-Identifier: Apache-2.0
#include "linux/group_membership.hh"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace nlb {
namespace {

Result<void> change(const std::string& interface, const MacAddress& group, unsigned long command) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(std::strerror(errno), errno);
  ifreq request{};
  interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_hwaddr.sa_family = AF_UNSPEC;
  std::memcpy(request.ifr_hwaddr.sa_data, group.octets.data(), group.octets.size());
  const int outcome = ioctl(fd, command, &request);
  const int error = errno;
  close(fd);
  if (outcome != 0) return fail(std::strerror(error), error);
  return {};
}

}  // namespace

// Lines of /proc/net/dev_mcast: index, name, users, global use (0 or 1), MAC without colons.
Result<bool> has_joined_group(const std::string& interface, const MacAddress& group) {
  std::ifstream in("/proc/thread-self/net/dev_mcast");
  if (!in) return fail(std::string("/proc/net/dev_mcast: ") + std::strerror(errno), errno);
  std::string wanted;
  for (const char c : group.text())
    if (c != ':') wanted += c;
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string index, name, users, global, mac;
    fields >> index >> name >> users >> global >> mac;
    if (name == interface && mac == wanted) return global != "0";
  }
  return false;
}

Result<bool> join_group(const std::string& interface, const MacAddress& group) {
  auto joined = has_joined_group(interface, group);
  if (!joined || *joined) return joined.map([](bool) { return false; });
  return change(interface, group, SIOCADDMULTI).map([] { return true; });
}

Result<bool> leave_group(const std::string& interface, const MacAddress& group) {
  auto joined = has_joined_group(interface, group);
  if (!joined || !*joined) return joined;
  return change(interface, group, SIOCDELMULTI).map([] { return true; });
}

Result<std::unique_ptr<GroupMembership>> GroupMembership::open(const std::string& interface,
                                                               const IpAddress& group) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(std::strerror(errno), errno);
  std::unique_ptr<GroupMembership> membership(new GroupMembership(fd, interface, group));
  if (auto joined = membership->join(); !joined) return tl::unexpected(joined.error());
  return membership;
}

GroupMembership::~GroupMembership() {
  close(fd_);
}

Result<void> GroupMembership::join() {
  return change(IP_ADD_MEMBERSHIP, EADDRINUSE, "join");
}

Result<void> GroupMembership::leave() {
  return change(IP_DROP_MEMBERSHIP, EADDRNOTAVAIL, "leave");
}

Result<void> GroupMembership::change(int option, int no_change, const char* what) {
  ip_mreqn request{};
  request.imr_multiaddr.s_addr = htonl(group_.v4_host_order());
  request.imr_ifindex = static_cast<int>(if_nametoindex(interface_.c_str()));
  if (setsockopt(fd_, IPPROTO_IP, option, &request, sizeof request) == 0 || errno == no_change) return {};
  const int error = errno;
  return fail(interface_ + ": cannot " + what + " " + group_.text() + ": " + std::strerror(error), error);
}

}  // namespace nlb
