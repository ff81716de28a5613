// SPDX-License-Identifier: Apache-2.0
// libnl-route, spoken with values: handles that free themselves, and errors that keep the kernel's errno and
// its own words. libnl folds errnos together (EADDRINUSE and EEXIST become one), but the errno is what tells
// a driver's refusal apart, so replies are read with callbacks of our own. Private to src/linux.
#pragma once

#include <netlink/addr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"
#include "linux/adapter.hh"

struct rtnl_link;
struct rtnl_addr;
struct rtnl_neigh;
struct rtnl_route;

namespace nlb::netlink {

// unique_ptr for libnl's objects: Owned<nl_msg, nlmsg_free>.
template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, FreeWith<Free>>;

using Message = Owned<nl_msg, nlmsg_free>;
using Address = Owned<nl_addr, nl_addr_put>;

class Socket {
 public:
  [[nodiscard]] static Result<Socket> open(int protocol = 0);  // NETLINK_ROUTE
  // Sends a request and waits for its acknowledgement.
  [[nodiscard]] Result<void> request(nl_msg* message);
  // Sends a dump request and hands every answer to `each`; a dump that was overtaken by a change is repeated.
  [[nodiscard]] Result<void> dump(nl_msg* message, const std::function<void(nlmsghdr*)>& each);
  // Hands every answer to `each` as it comes, until that returns false: for tables that are too large to
  // keep, and whose readers bear that they change meanwhile. After a false, this socket is of no further use.
  [[nodiscard]] Result<void> stream(nl_msg* message, const std::function<bool(nlmsghdr*)>& each);
  [[nodiscard]] nl_sock* raw() const { return socket_.get(); }

 private:
  Owned<nl_sock, nl_socket_free> socket_;
};

[[nodiscard]] Address to_nl(const MacAddress& mac);
[[nodiscard]] Address to_nl(const IpAddress& ip, int prefix_length);
[[nodiscard]] MacAddress mac_from_nl(nl_addr* address);  // zero when it is not six octets long
[[nodiscard]] IpAddress ip_from_nl(nl_addr* address);    // unspecified when it is neither IPv4 nor IPv6

// Unicast receive-filter entries of one device ("fdb … self"). Adding what is there, or deleting what is not,
// is no error; `changed` says whether anything was done.
[[nodiscard]] Result<std::vector<MacAddress>> receive_filter(Socket& socket, int ifindex);
[[nodiscard]] Result<bool> add_receive_filter(Socket& socket, int ifindex, const MacAddress& mac);
[[nodiscard]] Result<bool> delete_receive_filter(Socket& socket, int ifindex, const MacAddress& mac);

[[nodiscard]] Result<std::vector<InterfaceAddress>> addresses(Socket& socket, int ifindex);
// As /32 or /128. A multicast address makes the kernel join the group, for as long as the address is there.
[[nodiscard]] Result<bool> add_host_address(Socket& socket, int ifindex, const IpAddress& ip);
[[nodiscard]] Result<bool> delete_host_address(Socket& socket, int ifindex, const IpAddress& ip);

[[nodiscard]] Result<void> set_mac(Socket& socket, int ifindex, const MacAddress& mac);

// IPv4 default gateway of the main table through this interface, the one of lowest metric.
[[nodiscard]] Result<std::optional<IpAddress>> default_gateway(Socket& socket, int ifindex);

}  // namespace nlb::netlink
