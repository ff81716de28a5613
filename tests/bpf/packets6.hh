// SPDX-License-Identifier: Apache-2.0
// IPv6 and neighbour discovery from words, beside the words of packets.hh. Checksums are left zero (neither
// filter nor guard judges them), but where summed() puts one in.
#pragma once

#include "packets.hh"

namespace nlb::test {

inline IpAddress ip6(const char* text) {
  return *IpAddress::parse(text);
}
inline void put_ipv6(Frame& frame, const IpAddress& address) {
  frame.insert(frame.end(), address.octets.begin(), address.octets.end());
}
inline Frame joined(std::initializer_list<Frame> parts) {
  Frame all;
  for (const Frame& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

inline Frame ipv6(const IpAddress& from, const IpAddress& to, uint8_t next_header, const Frame& payload,
                  uint8_t hop_limit = 255) {
  Frame packet{0x60, 0, 0, 0};
  put16(packet, payload.size());
  packet.push_back(next_header);
  packet.push_back(hop_limit);
  put_ipv6(packet, from);
  put_ipv6(packet, to);
  return joined({packet, payload});
}

// ICMPv6 straight behind the IPv6 header, with which `packet` begins.
inline Frame summed(Frame packet) {
  uint32_t sum = 58 + static_cast<uint32_t>(packet.size() - 40);
  packet[42] = packet[43] = 0;
  for (std::size_t i = 8; i < packet.size(); ++i) sum += i % 2 == 0 ? uint32_t{packet[i]} << 8 : packet[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  packet[42] = static_cast<uint8_t>(~sum >> 8);
  packet[43] = static_cast<uint8_t>(~sum);
  return packet;
}

inline Frame extension(uint8_t next_header, uint8_t more_units = 0) {
  Frame header(8 + std::size_t{8} * more_units, 0);
  header[0] = next_header;
  header[1] = more_units;
  return header;
}
inline Frame fragment_header(uint8_t next_header, uint16_t offset_units, bool more, uint32_t id = 77) {
  Frame header{next_header, 0};
  put16(header, static_cast<uint16_t>(offset_units << 3 | (more ? 1 : 0)));
  put32(header, id);
  return header;
}

inline constexpr uint8_t kSourceOption = 1, kTargetOption = 2;
inline Frame link_layer(uint8_t type, const MacAddress& mac) {
  Frame option{type, 1};
  put_mac(option, mac);
  return option;
}

inline Frame nonces(std::size_t count) {  // options that bind nothing (RFC 3971)
  Frame all;
  for (std::size_t i = 0; i < count; ++i) all = joined({all, Frame{14, 1, 1, 2, 3, 4, 5, 6}});
  return all;
}

inline Frame discovery(uint8_t type, std::initializer_list<IpAddress> addresses, const Frame& options,
                       std::size_t more_head_bytes = 0) {
  Frame message{type, 0, 0, 0, 0, 0, 0, 0};
  message.insert(message.end(), more_head_bytes, 0);
  for (const IpAddress& address : addresses) put_ipv6(message, address);
  return joined({message, options});
}
inline Frame router_solicitation(const Frame& options) {
  return discovery(133, {}, options);
}
inline Frame router_announcement(const Frame& options) {
  return discovery(134, {}, options, 8);
}
inline Frame solicitation(const IpAddress& target, const Frame& options) {
  return discovery(135, {target}, options);
}
inline Frame advertisement(const IpAddress& target, const Frame& options) {
  return discovery(136, {target}, options);
}
inline Frame nd_redirect(const IpAddress& target, const IpAddress& destination, const Frame& options) {
  return discovery(137, {target, destination}, options);
}

}  // namespace nlb::test
