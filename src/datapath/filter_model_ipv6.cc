// SPDX-License-Identifier: Apache-2.0
// The model's IPv6: extension headers, neighbour discovery (RFC 4861), ICMPv6 (RFC 4443), fragments.
#include <nlb/abi/filter.h>

#include <array>
#include <optional>

#include "datapath/filter_model.hh"
#include "datapath/filter_model_packet.hh"
#include "datapath/model_octets.hh"

namespace nlb {
namespace {

using namespace model;
constexpr auto kNotMine = NLB_VERDICT_COUNT;
constexpr std::size_t kHeaderBytes = 40;
constexpr uint8_t kFragment = 44, kAuthentication = 51, kIcmp = 58;
constexpr std::array<uint8_t, 8> kExtensions{0, 43, kFragment, kAuthentication, 60, 135, 139, 140};
constexpr uint8_t kRouterSolicitation = 133, kRouterAdvertisement = 134, kNeighbourSolicitation = 135,
                  kNeighbourAdvertisement = 136, kRedirect = 137;

bool is_discovery(uint8_t type) {
  return type >= kRouterSolicitation && type <= kRedirect;
}
bool binds_target(uint8_t type) {
  return type == kNeighbourAdvertisement || type == kRedirect;
}
std::size_t head_bytes(uint8_t type) {
  return type == kRouterSolicitation ? 8 : type == kRouterAdvertisement ? 16 : type == kRedirect ? 40 : 24;
}

struct Upper {
  uint8_t protocol;
  std::size_t at = kHeaderBytes;
  int fragment_headers = 0;
  bool more = false, later = false;
  uint32_t id = 0;
};

// nullopt: cut off, or too long.
std::optional<Upper> behind_extensions(Bytes ip) {
  Upper upper{ip[6]};
  for (int passed = 0; !upper.later; ++passed) {
    if (std::find(kExtensions.begin(), kExtensions.end(), upper.protocol) == kExtensions.end()) break;
    const bool fragment = upper.protocol == kFragment;
    if (passed == NLB_MAX_EXTENSION_HEADERS || upper.at + (fragment ? 8 : 4) > ip.size()) return std::nullopt;
    const Bytes header = ip.subspan(upper.at);
    std::size_t bytes = (header[1] + std::size_t{1}) * 8;
    if (upper.protocol == kAuthentication) bytes = (header[1] + std::size_t{2}) * 4;
    if (fragment) {
      bytes = 8;
      ++upper.fragment_headers;
      upper.more = header[3] & 1;
      upper.later = word(header, 2) >> 3 != 0;
      upper.id = long_word(header, 4);
    }
    upper.protocol = header[0];
    upper.at += bytes;
  }
  return upper;
}

// Up to where the header says that the packet goes; nullopt for one that lies.
std::optional<std::size_t> end_of(Bytes ip) {
  const std::size_t end = kHeaderBytes + word(ip, 4);
  if (ip[0] >> 4 != 6 || end > ip.size()) return std::nullopt;
  return end;
}

// The one MAC that the options bind; nullopt where there is none, or they are malformed.
std::optional<Bytes> bound_mac(Bytes options, uint8_t wanted) {
  std::optional<Bytes> found;
  for (int count = 0; !options.empty(); ++count) {
    if (count == NLB_MAX_VIP_ND_OPTIONS || options.size() < 8 || options[1] == 0) return std::nullopt;
    const std::size_t bytes = std::size_t{8} * options[1];
    if (bytes > options.size()) return std::nullopt;
    if (options[0] == wanted) {
      const Bytes mac = options.subspan(2, 6);
      if (bytes != 8 || (found && !std::equal(mac.begin(), mac.end(), found->begin()))) return std::nullopt;
      found = mac;
    }
    options = options.subspan(bytes);
  }
  return found;
}

}  // namespace

// A v4-mapped address in an IPv6 header is nobody's virtual address.
bool FilterModel::is_vip6(const IpAddress& address) const {
  return !address.is_v4() && is_vip(address);
}

nlb_verdict FilterModel::judge_ipv6(Bytes ip, Bytes frame) {
  if (ip.size() < kHeaderBytes) return kNotMine;
  const auto upper = behind_extensions(ip);
  const auto end = end_of(ip);
  const IpAddress client = address_v6(ip, 8), vip = address_v6(ip, 24);
  if (upper && end && upper->protocol == kIcmp && upper->fragment_headers == 0 && upper->at <= *end) {
    const auto verdict = judge_discovery(ip, ip.subspan(upper->at, *end - upper->at), frame);
    if (verdict != kNotMine) return verdict;
  }
  if (!is_vip6(vip)) return kNotMine;
  if (!config_.bound) return NLB_VERDICT_not_bound;
  if (!upper || upper->fragment_headers > 1) return NLB_VERDICT_header_chain;
  if (!end || upper->at > *end || client.is_v4()) return NLB_VERDICT_bad_header;
  const FragmentKey key{client, vip, upper->id, 0};
  if (upper->later) return fragments_.contains(key) ? NLB_VERDICT_fragment : NLB_VERDICT_fragment_unknown;
  const Packet packet{client, vip, upper->protocol, upper->more, ip.subspan(upper->at, *end - upper->at)};
  const auto verdict = packet.protocol == kIcmp ? judge_icmpv6(packet) : judge_ported(packet);
  if (upper->more && accepts(verdict)) fragments_.insert(key);
  return verdict;
}

nlb_verdict FilterModel::judge_icmpv6(const Packet& packet) {
  const Bytes icmp = packet.payload;
  if (icmp.size() < 8 || is_discovery(icmp[0])) return NLB_VERDICT_bad_header;
  if (icmp[0] >= 128) return judge_flow(packet, icmp[0] == 128 ? kEchoSlot : kDefaultSlot, 0, nullptr);
  if (icmp.size() < 8 + kHeaderBytes) return NLB_VERDICT_bad_header;
  if (!is_vip6(address_v6(icmp, 16))) return NLB_VERDICT_icmp_unrelated;
  return lease_valid() ? NLB_VERDICT_icmp_error : NLB_VERDICT_no_lease;
}

nlb_verdict FilterModel::judge_discovery(Bytes ip, Bytes message, Bytes frame) const {
  if (message.size() < 2 || !is_discovery(message[0])) return kNotMine;
  const uint8_t type = message[0];
  if (ip[7] != 255 || message[1] != 0 || message.size() < head_bytes(type)) return kNotMine;
  const IpAddress target = type >= kNeighbourSolicitation ? address_v6(message, 8) : IpAddress{};
  if (is_vip6(binds_target(type) ? target : address_v6(ip, 8))) {
    const auto mac = bound_mac(message.subspan(head_bytes(type)), binds_target(type) ? 2 : 1);
    return mac && is_cluster_mac(*mac) ? NLB_VERDICT_nd_peer : NLB_VERDICT_vip_conflict;
  }
  if (type == kNeighbourSolicitation) {
    if (!is_vip6(target)) return kNotMine;
    if (!config_.bound) return NLB_VERDICT_not_bound;
    return lease_valid() ? NLB_VERDICT_nd_answered : NLB_VERDICT_no_lease;
  }
  if (type == kNeighbourAdvertisement && is_cluster_mac(frame)) return NLB_VERDICT_nd_to_vip;
  return type != kRouterSolicitation && is_vip6(address_v6(ip, 24)) ? NLB_VERDICT_nd_to_vip : kNotMine;
}

}  // namespace nlb
