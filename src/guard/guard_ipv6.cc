// SPDX-License-Identifier: Apache-2.0
// What an IPv6 packet says: its source, and behind extension headers neighbour discovery (RFC 4861), DHCPv6
// and VRRP.
#include <algorithm>
#include <array>

#include "guard/guard_frame.hh"

namespace nlb {
namespace {

using octets::ipv6;
using octets::mac;
using octets::number;

constexpr uint8_t kFragment = 44, kAuthentication = 51;
constexpr std::array<uint8_t, 8> kExtensions{0, 43, kFragment, kAuthentication, 60, 135, 139, 140};
constexpr uint8_t kRouterSolicitation = 133, kRouterAdvertisement = 134, kNeighbourSolicitation = 135,
                  kNeighbourAdvertisement = 136, kRedirect = 137;

bool is_extension(uint8_t type) {
  return std::find(kExtensions.begin(), kExtensions.end(), type) != kExtensions.end();
}

struct Upper {
  uint8_t protocol = 0;
  bool fragmented = false, later_fragment = false;
  std::size_t at = 40;
};

std::optional<Upper> behind_extensions(Octets packet) {
  Upper upper{packet[6]};
  for (int passed = 0; is_extension(upper.protocol) && !upper.later_fragment; ++passed) {
    if (passed == NLB_MAX_EXTENSION_HEADERS ||
        upper.at + (upper.protocol == kFragment ? 8 : 4) > packet.size())
      return std::nullopt;
    const Octets header = packet.subspan(upper.at);
    std::size_t bytes = (header[1] + std::size_t{1}) * 8;
    if (upper.protocol == kAuthentication) bytes = (header[1] + std::size_t{2}) * 4;
    if (upper.protocol == kFragment) {
      bytes = 8;
      upper.fragmented = true;
      upper.later_fragment = number(header, 2, 2) >> 3 != 0;
    }
    upper.protocol = header[0];
    upper.at += bytes;
  }
  return upper;
}

saying::Broken malformed() {
  return {NLB_GUARD_REASON_nd_malformed, true};
}

std::size_t head_bytes(uint8_t type) {
  switch (type) {
    case kRouterSolicitation:
      return 8;
    case kRouterAdvertisement:
      return 16;
    case kRedirect:
      return 40;
    default:
      return 24;
  }
}

// The MACs in options of this type; nothing when they contradict each other or the message is malformed.
std::optional<std::vector<MacAddress>> link_layer_options(Octets options, uint8_t wanted) {
  std::vector<MacAddress> found;
  for (int count = 0; !options.empty(); ++count) {
    if (count == NLB_MAX_ND_OPTIONS || options.size() < 8 || options[1] == 0) return std::nullopt;
    const std::size_t bytes = std::size_t{8} * options[1];
    if (bytes > options.size()) return std::nullopt;
    if (options[0] == wanted) {
      if (bytes != 8) return std::nullopt;
      found.push_back(mac(options, 2));
      if (found.back() != found.front()) return std::nullopt;
    }
    options = options.subspan(bytes);
  }
  return found;
}

// `message`: as long as the IPv6 header says.
void read_discovery(Octets message, const IpAddress& source, std::vector<Saying>& said) {
  const uint8_t type = message[0];
  const bool about_target = type == kNeighbourAdvertisement || type == kRedirect;
  if (message.size() < head_bytes(type)) return said.push_back(malformed());
  const auto macs = link_layer_options(message.subspan(head_bytes(type)), about_target ? 2 : 1);
  if (!macs) return said.push_back(malformed());
  const IpAddress target = head_bytes(type) >= 24 ? ipv6(message, 8) : IpAddress{};
  if (type == kNeighbourAdvertisement || (type == kNeighbourSolicitation && source.is_unspecified()))
    said.push_back(saying::UsesAddress{target, Speech::nd});
  if (macs->empty()) return;
  const IpAddress& bound = about_target ? target : source;
  if (bound.is_unspecified()) return said.push_back(malformed());
  if (type == kRedirect) return said.push_back(saying::Mentions{bound, macs->front()});
  said.push_back(saying::Binds{bound, macs->front(), Speech::nd});
}

void read_icmpv6(Octets packet, const Upper& upper, GuardPayload& read) {
  auto& said = read.sayings;
  const uint8_t type = packet[upper.at];
  if (type < kRouterSolicitation || type > kRedirect) return;
  read.transport.reset();
  if (upper.fragmented) return said.push_back(saying::Broken{NLB_GUARD_REASON_nd_fragment, true});
  if (type == kRouterAdvertisement) said.push_back(saying::AdvertisesRouter{});
  if (type == kRedirect) said.push_back(saying::Redirects{});
  const std::size_t end = 40 + number(packet, 4, 2);
  if (end > packet.size() || end <= upper.at) return said.push_back(malformed());
  read_discovery(packet.subspan(upper.at, end - upper.at), ipv6(packet, 8), said);
}

}  // namespace

GuardPayload read_guard_ipv6(Octets packet) {
  if (packet.size() < 40 || packet[0] >> 4 != 6)
    return {{saying::Broken{NLB_GUARD_REASON_ip_malformed, false}}};
  GuardPayload read{{saying::UsesAddress{ipv6(packet, 8), Speech::ip}}};
  auto& said = read.sayings;
  const auto upper = behind_extensions(packet);
  if (!upper) {
    said.push_back(saying::Broken{NLB_GUARD_REASON_header_chain, true});
    return read;
  }
  read.transport = upper->at;
  if (upper->fragmented) read.transport.reset();
  if (upper->later_fragment) return read;
  const std::size_t in_frame = upper->at < packet.size() ? packet.size() - upper->at : 0;
  // What stands behind the packet is no part of a fragment, which the rest of it follows.
  const std::size_t end = 40 + number(packet, 4, 2), in_packet = upper->at < end ? end - upper->at : 0;
  if (upper->fragmented && upper->at > end) {
    said.push_back(saying::Broken{NLB_GUARD_REASON_header_chain, true});
    return read;
  }
  const std::size_t there = upper->fragmented ? std::min(in_frame, in_packet) : in_frame;
  if (upper->protocol == 58) {
    if (there != 0)
      read_icmpv6(packet, *upper, read);
    else if (upper->fragmented)
      said.push_back(saying::Broken{NLB_GUARD_REASON_header_chain, true});
  } else if (upper->protocol == 112 && in_frame >= 2) {
    said.push_back(saying::AdvertisesVirtualRouter{packet[upper->at + 1], true});
  } else if (upper->protocol == 17) {
    const auto port = [&](std::size_t at) { return number(packet, upper->at + at, 2); };
    if (there >= 4 && (port(0) == 547 || port(2) == 546)) said.push_back(saying::ServesDhcp{});
    if (there < 4 && upper->fragmented) said.push_back(saying::HidesPort{});
  }
  return read;
}

}  // namespace nlb
