// SPDX-License-Identifier: Apache-2.0
#include "linux/neighbour.hh"

#include <linux/neighbour.h>
#include <net/if.h>
#include <netlink/route/neighbour.h>
#include <sys/socket.h>

#include <cerrno>

#include "linux/netlink.hh"

namespace nlb {
namespace {

// Calls each(neighbour) for every entry of the interface.
template <typename Each>
Result<void> for_each_neighbour(const std::string& interface, netlink::Socket& socket, Each each) {
  const auto ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (ifindex == 0) return fail(interface + ": no such network interface", errno);
  nl_cache* filled = nullptr;
  if (int code = rtnl_neigh_alloc_cache(socket.raw(), &filled); code < 0)
    return fail(std::string("cannot read neighbours: ") + nl_geterror(code));
  const netlink::Owned<nl_cache, nl_cache_free> cache(filled);
  for (auto* object = nl_cache_get_first(filled); object; object = nl_cache_get_next(object)) {
    auto* neighbour = reinterpret_cast<rtnl_neigh*>(object);
    if (rtnl_neigh_get_ifindex(neighbour) == ifindex) each(neighbour);
  }
  return {};
}

}  // namespace

Result<int> forget_unresolved_neighbours(const std::string& interface) {
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  int forgotten = 0;
  auto read = for_each_neighbour(interface, *socket, [&](rtnl_neigh* neighbour) {
    if ((rtnl_neigh_get_state(neighbour) & (NUD_INCOMPLETE | NUD_FAILED)) == 0) return;
    nl_msg* built = nullptr;
    if (rtnl_neigh_build_delete_request(neighbour, 0, &built) < 0) return;
    const netlink::Message message(built);
    if (socket->request(built)) ++forgotten;  // else it was resolved or forgotten meanwhile
  });
  if (!read) return tl::unexpected(read.error());
  return forgotten;
}

Result<std::vector<IpAddress>> known_neighbours(const std::string& interface) {
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  std::vector<IpAddress> known;
  auto read = for_each_neighbour(interface, *socket, [&](rtnl_neigh* neighbour) {
    const bool resolved =
        (rtnl_neigh_get_state(neighbour) & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)) != 0;
    if (!resolved || rtnl_neigh_get_family(neighbour) != AF_INET) return;
    known.push_back(netlink::ip_from_nl(rtnl_neigh_get_dst(neighbour)));
  });
  if (!read) return tl::unexpected(read.error());
  return known;
}

}  // namespace nlb
