// SPDX-License-Identifier: Apache-2.0
#include "linux/netlink.hh"

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nlb::netlink {
namespace {

// What one exchange came to; filled by the callbacks below.
struct Exchange {
  int error = 0;  // errno
  std::string words;
  bool done = false;
  bool interrupted = false;                              // the kernel's tables changed while they were dumped
  const std::function<bool(nlmsghdr*)>* each = nullptr;  // false: no more
};

// The kernel's own words (extended acknowledgement) follow the error message when it has any.
std::string kernel_words(nlmsgerr* error) {
  auto* header = reinterpret_cast<nlmsghdr*>(reinterpret_cast<char*>(error) - NLMSG_HDRLEN);
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  std::size_t skip = sizeof *error;
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) skip += error->msg.nlmsg_len - sizeof(nlmsghdr);
  const auto offset = static_cast<int>(NLMSG_ALIGN(skip));
  auto* found = nlmsg_find_attr(header, offset, NLMSGERR_ATTR_MSG);
  return found ? nla_get_string(found) : std::string{};
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* argument) {
  auto* exchange = static_cast<Exchange*>(argument);
  exchange->error = -error->error;
  exchange->words = kernel_words(error);
  exchange->done = true;
  return NL_STOP;
}

int on_end(nl_msg*, void* argument) {
  static_cast<Exchange*>(argument)->done = true;
  return NL_STOP;
}

int on_interrupted(nl_msg*, void* argument) {
  static_cast<Exchange*>(argument)->interrupted = true;
  return NL_OK;
}

int on_object(nl_msg* message, void* argument) {
  auto* exchange = static_cast<Exchange*>(argument);
  if (!exchange->each || (*exchange->each)(nlmsg_hdr(message))) return NL_OK;
  exchange->done = true;
  return NL_STOP;
}

// While it lives the kernel filters dumps by what the request names: a router may have a million routes.
class StrictDump {
 public:
  explicit StrictDump(nl_sock* socket) : fd_(nl_socket_get_fd(socket)) { set(1); }
  StrictDump(const StrictDump&) = delete;
  StrictDump& operator=(const StrictDump&) = delete;
  ~StrictDump() { set(0); }

 private:
  void set(int on) const { setsockopt(fd_, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on); }
  int fd_;
};

constexpr int kDumpAttempts = 16;

Result<void> run(nl_sock* socket, nl_msg* message, Exchange& exchange) {
  Owned<nl_cb, nl_cb_put> callbacks(nl_cb_alloc(NL_CB_DEFAULT));
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &exchange);
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, on_end, &exchange);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_end, &exchange);
  nl_cb_set(callbacks.get(), NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, &exchange);
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_object, &exchange);
  if (int sent = nl_send_auto(socket, message); sent < 0)
    return fail(std::string("netlink: ") + nl_geterror(sent));
  while (!exchange.done) {
    if (int got = nl_recvmsgs(socket, callbacks.get()); got < 0 && !exchange.done)
      return fail(std::string("netlink: ") + nl_geterror(got));
  }
  if (exchange.error == 0) return {};
  std::string text = std::strerror(exchange.error);
  if (!exchange.words.empty()) text += " (" + exchange.words + ")";
  return fail(text, exchange.error);
}

// A request that was already fulfilled (`harmless` errno) is told apart from one that changed something.
Result<bool> changed_unless(Result<void> result, std::initializer_list<int> harmless) {
  if (result) return true;
  if (std::find(harmless.begin(), harmless.end(), result.error().code) != harmless.end()) return false;
  return tl::unexpected(result.error());
}

tl::unexpected<Error> not_built(const char* what, int code) {
  return fail(std::string("cannot build a netlink request for ") + what + ": " + nl_geterror(code));
}

Owned<rtnl_neigh, rtnl_neigh_put> filter_entry(int ifindex, const MacAddress& mac) {
  Owned<rtnl_neigh, rtnl_neigh_put> entry(rtnl_neigh_alloc());
  rtnl_neigh_set_family(entry.get(), AF_BRIDGE);
  rtnl_neigh_set_ifindex(entry.get(), ifindex);
  rtnl_neigh_set_lladdr(entry.get(), to_nl(mac).get());
  rtnl_neigh_set_flags(entry.get(), NTF_SELF);
  rtnl_neigh_set_state(entry.get(), NUD_PERMANENT);
  return entry;
}

Owned<rtnl_addr, rtnl_addr_put> host_address(int ifindex, const IpAddress& ip) {
  Owned<rtnl_addr, rtnl_addr_put> entry(rtnl_addr_alloc());
  rtnl_addr_set_ifindex(entry.get(), ifindex);
  rtnl_addr_set_local(entry.get(), to_nl(ip, ip.is_v4() ? 32 : 128).get());
  rtnl_addr_set_scope(entry.get(), RT_SCOPE_UNIVERSE);
  // Every host of the cluster has the address: the kernel must not look for duplicates of it. Nor may it be
  // chosen as a source: of two IPv6 addresses the longer match wins, which a /128 always is, unless it is
  // deprecated (RFC 6724 rule 3).
  if (!ip.is_v4()) {
    rtnl_addr_set_flags(entry.get(), IFA_F_NODAD);
    rtnl_addr_set_preferred_lifetime(entry.get(), 0);
    rtnl_addr_set_valid_lifetime(entry.get(), UINT32_MAX);
  }
  if (ip.is_multicast()) rtnl_addr_set_flags(entry.get(), IFA_F_MCAUTOJOIN);
  return entry;
}

}  // namespace

static_assert(NETLINK_ROUTE == 0);

Result<Socket> Socket::open(int protocol) {
  Socket socket;
  socket.socket_.reset(nl_socket_alloc());
  if (!socket.socket_) return fail("netlink: out of memory", ENOMEM);
  if (int code = nl_connect(socket.raw(), protocol); code < 0)
    return fail(std::string("netlink: ") + nl_geterror(code));
  const int on = 1;
  setsockopt(nl_socket_get_fd(socket.raw()), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  return socket;
}

Result<void> Socket::request(nl_msg* message) {
  nlmsg_hdr(message)->nlmsg_flags |= NLM_F_ACK;
  Exchange exchange;
  return run(raw(), message, exchange);
}

Result<void> Socket::dump(nl_msg* message, const std::function<void(nlmsghdr*)>& each) {
  std::vector<std::vector<char>> answers;
  const std::function<bool(nlmsghdr*)> keep = [&](nlmsghdr* header) {
    const auto* octets = reinterpret_cast<const char*>(header);
    answers.emplace_back(octets, octets + header->nlmsg_len);
    return true;
  };
  const StrictDump strict(raw());
  nlmsg_hdr(message)->nlmsg_flags |= NLM_F_DUMP;
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    answers.clear();
    Exchange exchange;
    exchange.each = &keep;
    nlmsg_hdr(message)->nlmsg_seq = NL_AUTO_SEQ;
    if (auto done = run(raw(), message, exchange); !done) return done;
    if (exchange.interrupted) continue;
    for (auto& answer : answers) each(reinterpret_cast<nlmsghdr*>(answer.data()));
    return {};
  }
  return fail("netlink: the kernel's tables change faster than they can be read", EAGAIN);
}

Result<void> Socket::stream(nl_msg* message, const std::function<bool(nlmsghdr*)>& each) {
  nlmsg_hdr(message)->nlmsg_flags |= NLM_F_DUMP;
  Exchange exchange;
  exchange.each = &each;
  return run(raw(), message, exchange);
}

Address to_nl(const MacAddress& mac) {
  return Address(nl_addr_build(AF_LLC, mac.octets.data(), mac.octets.size()));
}

Address to_nl(const IpAddress& ip, int prefix_length) {
  Address address(ip.is_v4() ? nl_addr_build(AF_INET, ip.octets.data() + 12, 4)
                             : nl_addr_build(AF_INET6, ip.octets.data(), 16));
  nl_addr_set_prefixlen(address.get(), prefix_length);
  return address;
}

MacAddress mac_from_nl(nl_addr* address) {
  MacAddress mac;
  if (address && nl_addr_get_len(address) == mac.octets.size())
    std::memcpy(mac.octets.data(), nl_addr_get_binary_addr(address), mac.octets.size());
  return mac;
}

IpAddress ip_from_nl(nl_addr* address) {
  IpAddress ip;
  if (!address) return ip;
  const auto* octets = static_cast<const uint8_t*>(nl_addr_get_binary_addr(address));
  if (nl_addr_get_len(address) == 4) {
    ip = IpAddress::v4(0);
    std::memcpy(ip.octets.data() + 12, octets, 4);
  } else if (nl_addr_get_len(address) == 16) {
    std::memcpy(ip.octets.data(), octets, 16);
  }
  return ip;
}

Result<std::vector<MacAddress>> receive_filter(Socket& socket, int ifindex) {
  std::vector<MacAddress> macs;
  Message message(nlmsg_alloc_simple(RTM_GETNEIGH, 0));
  ndmsg ask{};
  ask.ndm_family = AF_BRIDGE;
  ask.ndm_ifindex = ifindex;
  nlmsg_append(message.get(), &ask, sizeof ask, NLMSG_ALIGNTO);
  auto dumped = socket.dump(message.get(), [&](nlmsghdr* header) {
    rtnl_neigh* parsed = nullptr;
    if (rtnl_neigh_parse(header, &parsed) < 0) return;
    Owned<rtnl_neigh, rtnl_neigh_put> entry(parsed);
    if (rtnl_neigh_get_ifindex(parsed) != ifindex) return;
    if ((rtnl_neigh_get_flags(parsed) & NTF_SELF) == 0) return;
    const MacAddress mac = mac_from_nl(rtnl_neigh_get_lladdr(parsed));
    if (!mac.is_zero() && (mac.octets[0] & 1) == 0) macs.push_back(mac);
  });
  if (!dumped) return tl::unexpected(dumped.error());
  return macs;
}

Result<bool> add_receive_filter(Socket& socket, int ifindex, const MacAddress& mac) {
  nl_msg* built = nullptr;
  auto entry = filter_entry(ifindex, mac);
  if (int code = rtnl_neigh_build_add_request(entry.get(), NLM_F_CREATE | NLM_F_EXCL, &built); code < 0)
    return not_built("a receive-filter entry", code);
  Message message(built);
  return changed_unless(socket.request(built), {EEXIST});
}

Result<bool> delete_receive_filter(Socket& socket, int ifindex, const MacAddress& mac) {
  nl_msg* built = nullptr;
  auto entry = filter_entry(ifindex, mac);
  if (int code = rtnl_neigh_build_delete_request(entry.get(), 0, &built); code < 0)
    return not_built("a receive-filter entry", code);
  Message message(built);
  return changed_unless(socket.request(built), {ENOENT});
}

Result<std::vector<InterfaceAddress>> addresses(Socket& socket, int ifindex) {
  nl_cache* filled = nullptr;
  if (int code = rtnl_addr_alloc_cache(socket.raw(), &filled); code < 0)
    return fail(std::string("cannot read addresses: ") + nl_geterror(code));
  Owned<nl_cache, nl_cache_free> cache(filled);
  std::vector<InterfaceAddress> found;
  for (auto* object = nl_cache_get_first(filled); object; object = nl_cache_get_next(object)) {
    auto* address = reinterpret_cast<rtnl_addr*>(object);
    if (rtnl_addr_get_ifindex(address) != ifindex) continue;
    const auto prefix = static_cast<uint8_t>(rtnl_addr_get_prefixlen(address));
    found.push_back({ip_from_nl(rtnl_addr_get_local(address)), prefix});
  }
  return found;
}

Result<bool> add_host_address(Socket& socket, int ifindex, const IpAddress& ip) {
  nl_msg* built = nullptr;
  auto entry = host_address(ifindex, ip);
  if (int code = rtnl_addr_build_add_request(entry.get(), NLM_F_CREATE | NLM_F_EXCL, &built); code < 0)
    return not_built("an address", code);
  Message message(built);
  return changed_unless(socket.request(built), {EEXIST});
}

Result<bool> delete_host_address(Socket& socket, int ifindex, const IpAddress& ip) {
  nl_msg* built = nullptr;
  auto entry = host_address(ifindex, ip);
  if (int code = rtnl_addr_build_delete_request(entry.get(), 0, &built); code < 0)
    return not_built("an address", code);
  Message message(built);
  return changed_unless(socket.request(built), {EADDRNOTAVAIL});
}

Result<void> set_mac(Socket& socket, int ifindex, const MacAddress& mac) {
  Owned<rtnl_link, rtnl_link_put> link(rtnl_link_alloc()), change(rtnl_link_alloc());
  rtnl_link_set_ifindex(link.get(), ifindex);
  rtnl_link_set_addr(change.get(), to_nl(mac).get());
  nl_msg* built = nullptr;
  if (int code = rtnl_link_build_change_request(link.get(), change.get(), 0, &built); code < 0)
    return not_built("a MAC change", code);
  Message message(built);
  return socket.request(built);
}

Result<std::optional<IpAddress>> default_gateway(Socket& socket, int ifindex) {
  Message message(nlmsg_alloc_simple(RTM_GETROUTE, 0));
  rtmsg ask{};
  ask.rtm_family = AF_INET;
  ask.rtm_table = RT_TABLE_MAIN;
  nlmsg_append(message.get(), &ask, sizeof ask, NLMSG_ALIGNTO);
  nla_put_u32(message.get(), RTA_OIF, static_cast<uint32_t>(ifindex));
  std::optional<IpAddress> gateway;
  uint32_t best_metric = 0;
  auto dumped = socket.dump(message.get(), [&](nlmsghdr* header) {
    rtnl_route* route = nullptr;
    if (rtnl_route_parse(header, &route) < 0) return;
    Owned<rtnl_route, rtnl_route_put> owned(route);
    if (nl_addr_get_prefixlen(rtnl_route_get_dst(route)) != 0) return;
    if (rtnl_route_get_table(route) != RT_TABLE_MAIN) return;
    for (int i = 0; i < rtnl_route_get_nnexthops(route); ++i) {
      auto* hop = rtnl_route_nexthop_n(route, i);
      auto* via = rtnl_route_nh_get_gateway(hop);
      if (!via || rtnl_route_nh_get_ifindex(hop) != ifindex) continue;
      if (gateway && rtnl_route_get_priority(route) >= best_metric) continue;
      gateway = ip_from_nl(via);
      best_metric = rtnl_route_get_priority(route);
    }
  });
  // No IPv4 routing table yet: the kernel says ENOENT, which means no gateway.
  if (!dumped && dumped.error().code != ENOENT) return tl::unexpected(dumped.error());
  return gateway;
}

}  // namespace nlb::netlink
