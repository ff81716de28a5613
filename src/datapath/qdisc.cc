// SPDX-License-Identifier: Apache-2.0
#include "datapath/qdisc.hh"

#include <linux/pkt_sched.h>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>

#include <memory>
#include <string_view>

namespace nlb {
namespace {

struct NetlinkFree {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
  void operator()(nl_cache* cache) const { nl_cache_free(cache); }
};
using Socket = std::unique_ptr<nl_sock, NetlinkFree>;
using Cache = std::unique_ptr<nl_cache, NetlinkFree>;

Result<Socket> connect_route() {
  Socket socket(nl_socket_alloc());
  if (!socket) return fail("out of memory");
  if (const int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0) return fail(nl_geterror(error));
  return socket;
}

}  // namespace

Result<IngressQdisc> ingress_qdisc(int interface_index) {
  auto socket = connect_route();
  if (!socket) return tl::unexpected(socket.error());
  nl_cache* list = nullptr;
  if (const int error = rtnl_qdisc_alloc_cache(socket->get(), &list); error < 0)
    return fail(nl_geterror(error));
  const Cache cache(list);
  for (nl_object* at = nl_cache_get_first(list); at != nullptr; at = nl_cache_get_next(at)) {
    auto* tc = reinterpret_cast<rtnl_tc*>(at);
    const char* kind = rtnl_tc_get_kind(tc);
    if (rtnl_tc_get_ifindex(tc) != interface_index || kind == nullptr) continue;
    if (std::string_view(kind) == "clsact") return IngressQdisc::clsact;
    if (std::string_view(kind) == "ingress") return IngressQdisc::ingress;
  }
  return IngressQdisc::none;
}

Result<bool> has_tc_filters(int interface_index) {
  auto socket = connect_route();
  if (!socket) return tl::unexpected(socket.error());
  for (const uint32_t minor : {0xFFF2U, 0xFFF3U}) {  // TC_H_MIN_INGRESS, TC_H_MIN_EGRESS
    nl_cache* list = nullptr;
    const uint32_t parent = (0xFFFFU << 16) | minor;
    const int error = rtnl_cls_alloc_cache(socket->get(), interface_index, parent, &list);
    if (error < 0) return fail(nl_geterror(error));
    const Cache cache(list);
    if (nl_cache_nitems(list) > 0) return true;
  }
  return false;
}

}  // namespace nlb
