// SPDX-License-Identifier: Apache-2.0
#include "linux/conntrack.hh"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>

#include <array>
#include <cstring>
#include <fstream>
#include <optional>

#include "linux/netlink.hh"

namespace nlb {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;  // the kernel fills what the reader offers, up to 32 KiB

template <int Last>
using Attributes = std::array<nlattr*, Last + 1>;

template <int Last>
std::optional<Attributes<Last>> inside(nlattr* attribute) {
  Attributes<Last> found{};
  if (attribute == nullptr || nla_parse_nested(found.data(), Last, attribute, nullptr) < 0)
    return std::nullopt;
  return found;
}

bool has(const nlattr* attribute, int bytes) {
  return attribute != nullptr && nla_len(attribute) == bytes;
}

std::optional<IpAddress> address_in(nlattr* v4, nlattr* v6) {
  IpAddress address = IpAddress::v4(0);
  if (has(v4, 4))
    std::memcpy(address.octets.data() + 12, nla_data(v4), 4);
  else if (has(v6, 16))
    std::memcpy(address.octets.data(), nla_data(v6), 16);
  else
    return std::nullopt;
  return address;
}

bool lives(nlattr* protocol_info) {
  const auto info = inside<CTA_PROTOINFO_MAX>(protocol_info);
  const auto tcp = info ? inside<CTA_PROTOINFO_TCP_MAX>((*info)[CTA_PROTOINFO_TCP]) : std::nullopt;
  if (!tcp || !has((*tcp)[CTA_PROTOINFO_TCP_STATE], 1)) return false;
  const uint8_t state = nla_get_u8((*tcp)[CTA_PROTOINFO_TCP_STATE]);
  return state >= TCP_CONNTRACK_SYN_RECV && state <= TCP_CONNTRACK_LAST_ACK;
}

bool is_translated(nlattr* status) {
  return has(status, 4) && (ntohl(nla_get_u32(status)) & IPS_DST_NAT) != 0;
}

std::optional<TranslatedConnection> parse(nlmsghdr* header) {
  Attributes<CTA_MAX> all{};
  if (nlmsg_parse(header, sizeof(nfgenmsg), all.data(), CTA_MAX, nullptr) < 0) return std::nullopt;
  if (all[CTA_ZONE] != nullptr || !is_translated(all[CTA_STATUS]) || !lives(all[CTA_PROTOINFO]))
    return std::nullopt;
  const auto tuple = inside<CTA_TUPLE_MAX>(all[CTA_TUPLE_ORIG]);
  const auto ip = tuple ? inside<CTA_IP_MAX>((*tuple)[CTA_TUPLE_IP]) : std::nullopt;
  const auto proto = tuple ? inside<CTA_PROTO_MAX>((*tuple)[CTA_TUPLE_PROTO]) : std::nullopt;
  if (!ip || !proto || !has((*proto)[CTA_PROTO_SRC_PORT], 2) || !has((*proto)[CTA_PROTO_DST_PORT], 2))
    return std::nullopt;
  const auto client = address_in((*ip)[CTA_IP_V4_SRC], (*ip)[CTA_IP_V6_SRC]);
  const auto address = address_in((*ip)[CTA_IP_V4_DST], (*ip)[CTA_IP_V6_DST]);
  if (!client || !address) return std::nullopt;
  return TranslatedConnection{*client, *address, ntohs(nla_get_u16((*proto)[CTA_PROTO_SRC_PORT])),
                              ntohs(nla_get_u16((*proto)[CTA_PROTO_DST_PORT]))};
}

netlink::Message request_for_both_families() {
  netlink::Message message(nlmsg_alloc_simple(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, 0));
  nfgenmsg head{};
  head.nfgen_family = AF_UNSPEC;
  head.version = NFNETLINK_V0;
  nlmsg_append(message.get(), &head, sizeof head, NLMSG_ALIGNTO);
  nla_put_u32(message.get(), CTA_STATUS, htonl(IPS_DST_NAT));  // Linux 6.0 and newer leave out the others
  nla_put_u32(message.get(), CTA_STATUS_MASK, htonl(IPS_DST_NAT));
  return message;
}

}  // namespace

uint64_t tracked_connections() {
  uint64_t count = 0;
  std::ifstream("/proc/sys/net/netfilter/nf_conntrack_count") >> count;
  return count;
}

Result<void> each_translated(const std::function<bool(const TranslatedConnection&)>& each) {
  if (tracked_connections() == 0) return {};
  auto socket = netlink::Socket::open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  nl_socket_set_msg_buf_size(socket->raw(), kBufferBytes);
  nl_socket_disable_msg_peek(socket->raw());
  const auto message = request_for_both_families();
  const auto done = socket->stream(message.get(), [&](nlmsghdr* header) {
    const auto connection = parse(header);
    return !connection || each(*connection);
  });
  if (!done) return tl::unexpected(done.error().within("connection tracking"));
  return {};
}

}  // namespace nlb
