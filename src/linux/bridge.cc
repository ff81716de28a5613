// SPDX-License-Identifier: Apache-2.0
#include "linux/bridge.hh"

#include <linux/if_bridge.h>
#include <linux/neighbour.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/route/neighbour.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>

#include "linux/netlink.hh"

namespace nlb {
namespace {

using netlink::Owned;

using Neighbour = Owned<rtnl_neigh, rtnl_neigh_put>;

// "Static" to `bridge fdb`: NUD_PERMANENT would make it an address of the host itself. Sticky: a static entry
// alone moves to the port that uses its MAC, and of LLDP the bridge learns without asking netfilter.
constexpr unsigned kSticky = 0x40;  // NTF_STICKY

Neighbour table_entry(uint32_t port, const MacAddress& mac) {
  Neighbour entry(rtnl_neigh_alloc());
  rtnl_neigh_set_family(entry.get(), AF_BRIDGE);
  rtnl_neigh_set_ifindex(entry.get(), static_cast<int>(port));
  rtnl_neigh_set_lladdr(entry.get(), netlink::to_nl(mac).get());
  rtnl_neigh_set_flags(entry.get(), NTF_MASTER | kSticky);
  rtnl_neigh_set_state(entry.get(), NUD_NOARP);
  return entry;
}

Result<void> ask(Result<netlink::Socket>& socket, nl_msg* built, int code) {
  if (code < 0) return fail(std::string("cannot build a netlink request: ") + nl_geterror(code));
  const netlink::Message message(built);
  return socket->request(built);
}

nlattr* within(nlattr* nest, int type) {
  return nest != nullptr ? nla_find(static_cast<nlattr*>(nla_data(nest)), nla_len(nest), type) : nullptr;
}

std::string kind_in(nlattr* link_info) {
  auto* kind = within(link_info, IFLA_INFO_KIND);
  return kind != nullptr ? nla_get_string(kind) : "";
}

bool filters_vlans(nlattr* link_info) {
  if (kind_in(link_info) != "bridge") return false;
  auto* filters = within(within(link_info, IFLA_INFO_DATA), IFLA_BR_VLAN_FILTERING);
  return filters != nullptr && nla_get_u8(filters) != 0;
}

// Neighbouring VLANs with the same flags come as a range: two entries, the first and the last.
PortVlans vlans_in(nlattr* bridge_info) {
  PortVlans port;
  uint16_t first = 0;
  nlattr* one = nullptr;
  int rest = 0;
  nla_for_each_nested(one, bridge_info, rest) {
    if (nla_type(one) != IFLA_BRIDGE_VLAN_INFO || nla_len(one) < static_cast<int>(sizeof(bridge_vlan_info)))
      continue;
    const auto& info = *static_cast<const bridge_vlan_info*>(nla_data(one));
    if ((info.flags & BRIDGE_VLAN_INFO_PVID) != 0) port.pvid = info.vid;
    if ((info.flags & BRIDGE_VLAN_INFO_RANGE_END) == 0) first = info.vid;
    if ((info.flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) != 0 || (info.flags & BRIDGE_VLAN_INFO_UNTAGGED) == 0)
      continue;
    for (uint32_t vid = first; vid <= info.vid && port.untagged.size() < PortVlans::kMost; ++vid)
      port.untagged.push_back(static_cast<uint16_t>(vid));
  }
  return port;
}

class Monitor final : public BridgeMonitor {
 public:
  Monitor(int link, int rule) : link_(link), rule_(rule) {}
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  ~Monitor() override {
    close(link_);
    close(rule_);
  }
  [[nodiscard]] int link_fd() const override { return link_; }
  [[nodiscard]] int rule_fd() const override { return rule_; }
  void drain() override {
    char some[8192];
    for (const int fd : {link_, rule_})
      while (recv(fd, some, sizeof some, MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR) {
      }
  }

 private:
  int link_, rule_;
};

int subscribed(int family, std::initializer_list<int> groups) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, family);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  bool good = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  for (const int group : groups)
    good = good && setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0;
  if (good || fd < 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace

Result<std::vector<Link>> links() {
  const auto has_carrier = [](nlmsghdr* header) {
    auto* carrier = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_CARRIER);
    return carrier != nullptr && nla_get_u8(carrier) != 0;
  };
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  netlink::Message message(nlmsg_alloc_simple(RTM_GETLINK, 0));
  ifinfomsg all{};
  nlmsg_append(message.get(), &all, sizeof all, NLMSG_ALIGNTO);
  std::vector<Link> found;
  auto dumped = socket->dump(message.get(), [&](nlmsghdr* header) {
    if (!nlmsg_valid_hdr(header, sizeof(ifinfomsg))) return;
    const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
    auto* name = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_IFNAME);
    auto* master = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_MASTER);
    if (name == nullptr) return;
    found.push_back({static_cast<uint32_t>(info->ifi_index), nla_get_string(name),
                     master != nullptr ? nla_get_u32(master) : 0,
                     kind_in(nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_LINKINFO)),
                     (info->ifi_flags & IFF_UP) != 0,
                     filters_vlans(nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_LINKINFO)),
                     (info->ifi_flags & IFF_UP) != 0 && has_carrier(header)});
  });
  if (!dumped) return tl::unexpected(dumped.error());
  return found;
}

namespace {

// Of every port, as its bridge tells it; `mask` is what it shall tell besides.
Result<void> each_bridge_port(uint32_t mask, const std::function<void(uint32_t, nlmsghdr*)>& each) {
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  netlink::Message message(nlmsg_alloc_simple(RTM_GETLINK, 0));
  ifinfomsg all{};
  all.ifi_family = AF_BRIDGE;
  nlmsg_append(message.get(), &all, sizeof all, NLMSG_ALIGNTO);
  if (mask != 0) nla_put_u32(message.get(), IFLA_EXT_MASK, mask);
  return socket->dump(message.get(), [&](nlmsghdr* header) {
    if (nlmsg_valid_hdr(header, sizeof(ifinfomsg)))
      each(static_cast<uint32_t>(static_cast<const ifinfomsg*>(nlmsg_data(header))->ifi_index), header);
  });
}

}  // namespace

Result<std::map<uint32_t, PortVlans>> port_vlans() {
  std::map<uint32_t, PortVlans> found;
  auto dumped = each_bridge_port(RTEXT_FILTER_BRVLAN_COMPRESSED, [&](uint32_t port, nlmsghdr* header) {
    auto* bridge_info = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_AF_SPEC);
    // IFLA_BRIDGE_FLAGS: an adapter says what the switch within it does.
    if (bridge_info != nullptr && within(bridge_info, IFLA_BRIDGE_FLAGS) == nullptr)
      found[port] = vlans_in(bridge_info);
  });
  if (!dumped) return tl::unexpected(dumped.error());
  return found;
}

Result<std::map<uint32_t, UnaskedGroups>> unasked_groups() {
  std::map<uint32_t, UnaskedGroups> found;
  auto dumped = each_bridge_port(0, [&](uint32_t port, nlmsghdr* header) {
    auto* port_info = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_PROTINFO);
    auto* router = within(port_info, IFLA_BRPORT_MULTICAST_ROUTER);
    if (router != nullptr) found[port] = static_cast<UnaskedGroups>(nla_get_u8(router));
  });
  if (!dumped) return tl::unexpected(dumped.error());
  return found;
}

Result<void> set_unasked_groups(uint32_t port, UnaskedGroups to) {
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  netlink::Message message(nlmsg_alloc_simple(RTM_SETLINK, 0));
  ifinfomsg one{};
  one.ifi_family = AF_BRIDGE;
  one.ifi_index = static_cast<int>(port);
  nlmsg_append(message.get(), &one, sizeof one, NLMSG_ALIGNTO);
  auto* port_info = nla_nest_start(message.get(), IFLA_PROTINFO | NLA_F_NESTED);
  nla_put_u8(message.get(), IFLA_BRPORT_MULTICAST_ROUTER, static_cast<uint8_t>(to));
  nla_nest_end(message.get(), port_info);
  return socket->request(message.get());
}

Result<std::vector<TableEntry>> bridge_table(uint32_t bridge) {
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  netlink::Message message(nlmsg_alloc_simple(RTM_GETNEIGH, 0));
  ndmsg all{};
  all.ndm_family = AF_BRIDGE;
  nlmsg_append(message.get(), &all, sizeof all, NLMSG_ALIGNTO);
  nla_put_u32(message.get(), NDA_MASTER, bridge);
  std::vector<TableEntry> found;
  auto dumped = socket->dump(message.get(), [&](nlmsghdr* header) {
    rtnl_neigh* parsed = nullptr;
    if (rtnl_neigh_parse(header, &parsed) < 0) return;
    const Neighbour entry(parsed);
    auto* master = nlmsg_find_attr(header, sizeof(ndmsg), NDA_MASTER);
    if (master == nullptr || nla_get_u32(master) != bridge) return;  // the receive filter of a port ("self")
    const int state = rtnl_neigh_get_state(parsed);
    found.push_back({static_cast<uint32_t>(rtnl_neigh_get_ifindex(parsed)),
                     netlink::mac_from_nl(rtnl_neigh_get_lladdr(parsed)),
                     (state & NUD_NOARP) != 0 && (rtnl_neigh_get_flags(parsed) & kSticky) != 0,
                     (state & NUD_PERMANENT) != 0});
  });
  if (!dumped) return tl::unexpected(dumped.error());
  return found;
}

Result<void> fix_in_table(uint32_t port, const MacAddress& mac) {
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  const auto entry = table_entry(port, mac);
  nl_msg* built = nullptr;
  const int code = rtnl_neigh_build_add_request(entry.get(), NLM_F_CREATE | NLM_F_REPLACE, &built);
  return ask(socket, built, code);
}

Result<void> remove_from_table(uint32_t port, const MacAddress& mac) {
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  const auto entry = table_entry(port, mac);
  nl_msg* built = nullptr;
  const int code = rtnl_neigh_build_delete_request(entry.get(), 0, &built);
  auto done = ask(socket, built, code);
  if (done || done.error().code == ENOENT || done.error().code == ENODEV) return {};
  return done;
}

Result<std::unique_ptr<BridgeMonitor>> BridgeMonitor::open() {
  const int link = subscribed(NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_TC});
  if (link < 0) return fail("cannot follow link changes", errno);
  const int rule = subscribed(NETLINK_NETFILTER, {NFNLGRP_NFTABLES});
  if (rule < 0) {
    close(link);
    return fail("cannot follow changes of nftables", errno);
  }
  return std::make_unique<Monitor>(link, rule);
}

}  // namespace nlb
