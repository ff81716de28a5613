// SPDX-License-Identifier: Apache-2.0
#include "guard/guard_frame.hh"

#include <algorithm>

namespace nlb {
namespace octets {

uint32_t number(Octets from, std::size_t at, std::size_t bytes) {
  uint32_t value = 0;
  for (const uint8_t octet : from.subspan(at, bytes)) value = value << 8 | octet;
  return value;
}

MacAddress mac(Octets from, std::size_t at) {
  MacAddress made;
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at), 6, made.octets.begin());
  return made;
}

IpAddress ipv6(Octets from, std::size_t at) {
  IpAddress made;
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at), 16, made.octets.begin());
  return made;
}

}  // namespace octets

namespace {

using octets::mac;
using octets::number;

constexpr uint16_t kIpv4 = 0x0800, kArp = 0x0806, kRarp = 0x8035, kIpv6 = 0x86dd;

bool is_tag(uint32_t type) {
  return type == 0x8100 || type == 0x88a8;
}

bool says_mac(const MacAddress& target) {
  return !target.is_zero() &&
         std::any_of(target.octets.begin(), target.octets.end(), [](uint8_t octet) { return octet != 0xff; });
}

bool is_ipv4_over(uint16_t hardware, Octets arp) {
  return arp.size() >= 28 && number(arp, 0, 2) == hardware && number(arp, 2, 4) == 0x08000604;
}
bool is_ipv4_over_ethernet(Octets arp) {
  return is_ipv4_over(1, arp);
}

std::vector<Saying> read_arp(Octets arp) {
  std::vector<Saying> said;
  if (!is_ipv4_over_ethernet(arp)) said.push_back(saying::Broken{NLB_GUARD_REASON_arp_malformed, false});
  if (!is_ipv4_over_ethernet(arp) && !is_ipv4_over(6, arp)) return said;  // 6: Linux reads it, too
  const bool reply = number(arp, 6, 2) == 2;
  const IpAddress sender = IpAddress::v4(number(arp, 14, 4)), target = IpAddress::v4(number(arp, 24, 4));
  said.push_back(saying::Binds{sender, mac(arp, 8), Speech::arp});
  if (says_mac(mac(arp, 18))) {
    if (sender == target)
      said.push_back(saying::Binds{target, mac(arp, 18), Speech::arp});
    else if (reply)
      said.push_back(saying::Mentions{target, mac(arp, 18)});
  }
  return said;
}

std::vector<Saying> read_rarp(Octets arp) {
  if (!is_ipv4_over_ethernet(arp)) return {saying::Broken{NLB_GUARD_REASON_arp_malformed, false}};
  return {saying::Rarp{mac(arp, 8)}, saying::Rarp{mac(arp, 18)}};
}

GuardPayload read_ipv4(Octets packet) {
  if (packet.size() < 20 || packet[0] >> 4 != 4 || (packet[0] & 15) < 5)
    return {{saying::Broken{NLB_GUARD_REASON_ip_malformed, false}}};
  GuardPayload read{{saying::UsesAddress{IpAddress::v4(number(packet, 12, 4)), Speech::ip}}};
  auto& said = read.sayings;
  const std::size_t header_bytes = std::size_t{4} * (packet[0] & 15);
  read.transport = header_bytes;
  const uint32_t place = number(packet, 6, 2) & 0x3fff;  // more fragments, offset
  if (place != 0) read.transport.reset();
  if ((place & 0x1fff) != 0 || packet.size() <= header_bytes) return read;
  const Octets payload = packet.subspan(header_bytes);
  const uint8_t protocol = packet[9];
  if (protocol == 1 && payload[0] == 5) said.push_back(saying::Redirects{});
  if (payload.size() < 2) return read;
  if (protocol == 17 && payload.size() >= 4 && (number(payload, 0, 2) == 67 || number(payload, 2, 2) == 68))
    said.push_back(saying::ServesDhcp{});
  if (protocol == 112) said.push_back(saying::AdvertisesVirtualRouter{payload[1], false});
  return read;
}

// LLC AA-AA-03 and organization 00-00-00 (RFC 1042) or 00-00-F8 (802.1H): an EtherType follows.
bool is_snap(Octets llc) {
  return llc.size() >= 8 && number(llc, 0, 3) == 0xaaaa03 &&
         (number(llc, 3, 3) == 0 || number(llc, 3, 3) == 0x0000f8);
}

GuardPayload read_payload(uint16_t type, Octets payload) {
  switch (type) {
    case kIpv4:
      return read_ipv4(payload);
    case kArp:
      return {read_arp(payload), std::nullopt};
    case kRarp:
      return {read_rarp(payload), std::nullopt};
    case kIpv6:
      return read_guard_ipv6(payload);
    default:
      return {};
  }
}

uint8_t protocol_in(uint16_t type, Octets packet) {
  if (type == kIpv4) return packet.size() > 9 ? packet[9] : uint8_t{0};
  if (type == kIpv6) return packet.size() > 6 ? packet[6] : uint8_t{0};
  return 0;
}

}  // namespace

GuardFrame read_guard_frame(const TaggedFrame& frame) {
  GuardFrame read;
  if (frame.octets.size() < 14) return read;
  read.destination = mac(frame.octets, 0);
  read.source = mac(frame.octets, 6);
  read.type = static_cast<uint16_t>(number(frame.octets, 12, 2));
  Octets payload = frame.octets.subspan(14);
  std::optional<uint16_t> tag = frame.tag;
  if (!tag && is_tag(read.type)) {
    if (payload.size() < 4) return read;
    tag = static_cast<uint16_t>(number(payload, 0, 2));
    read.type = static_cast<uint16_t>(number(payload, 2, 2));
    payload = payload.subspan(4);
  }
  read.whole = true;
  read.vlan = tag.value_or(0) & 0x0fff;
  read.nested = is_tag(read.type);
  bool readable = !read.nested;
  // Hosts pass over a tag without a VLAN, before or behind one that has it.
  if (read.nested && payload.size() >= 4 && (read.vlan == 0 || (number(payload, 0, 2) & 0x0fff) == 0)) {
    readable = true;
    read.vlan = static_cast<uint16_t>(read.vlan | (number(payload, 0, 2) & 0x0fff));
    read.type = static_cast<uint16_t>(number(payload, 2, 2));
    payload = payload.subspan(4);
    read.too_deep = is_tag(read.type);
  }
  if (read.type < 0x0600 && is_snap(payload)) {
    read.type = static_cast<uint16_t>(number(payload, 6, 2));
    payload = payload.subspan(8);
    read.nested = read.nested || is_tag(read.type);
  }
  read.payload_at = frame.octets.size() - payload.size();
  read.ip_protocol = protocol_in(read.type, payload);
  if (readable) read.payload = read_payload(read.type, payload);
  return read;
}

}  // namespace nlb
