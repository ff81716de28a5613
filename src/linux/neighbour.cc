// SPDX-License-Identifier: Apache-2.0
#include "linux/neighbour.hh"

#include <linux/neighbour.h>
#include <net/if.h>
#include <netlink/route/neighbour.h>

#include <cerrno>

#include "linux/netlink.hh"

namespace nlb {

Result<int> forget_unresolved_neighbours(const std::string& interface) {
  const auto ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (ifindex == 0) return fail(interface + ": no such network interface", errno);
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  nl_cache* filled = nullptr;
  if (int code = rtnl_neigh_alloc_cache(socket->raw(), &filled); code < 0)
    return fail(std::string("cannot read neighbours: ") + nl_geterror(code));
  const netlink::Owned<nl_cache, nl_cache_free> cache(filled);
  int forgotten = 0;
  for (auto* object = nl_cache_get_first(filled); object; object = nl_cache_get_next(object)) {
    auto* neighbour = reinterpret_cast<rtnl_neigh*>(object);
    const bool unresolved = (rtnl_neigh_get_state(neighbour) & (NUD_INCOMPLETE | NUD_FAILED)) != 0;
    if (rtnl_neigh_get_ifindex(neighbour) != ifindex || !unresolved) continue;
    nl_msg* built = nullptr;
    if (rtnl_neigh_build_delete_request(neighbour, 0, &built) < 0) continue;
    const netlink::Message message(built);
    if (socket->request(built)) ++forgotten;  // else it was resolved or forgotten meanwhile
  }
  return forgotten;
}

}  // namespace nlb
