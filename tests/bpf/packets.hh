// SPDX-License-Identifier: Apache-2.0
// Frames built from words: ethernet(to, from).ipv4(client, vip).tcp(40000, 80, kSyn). Lengths are right
// unless a fixture spoils them; checksums are left zero (the filter does not judge them).
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/net.hh"

namespace nlb::test {

using Frame = std::vector<uint8_t>;

inline constexpr uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16;

inline void put16(Frame& frame, std::size_t value) {
  frame.push_back(static_cast<uint8_t>(value >> 8));
  frame.push_back(static_cast<uint8_t>(value));
}
inline void put32(Frame& frame, uint32_t value) {
  put16(frame, value >> 16);
  put16(frame, value & 0xffff);
}
inline void put_mac(Frame& frame, const MacAddress& mac) {
  frame.insert(frame.end(), mac.octets.begin(), mac.octets.end());
}
inline uint32_t ip(const char* text) {
  return IpAddress::parse(text)->v4_host_order();
}
inline MacAddress mac(const char* text) {
  return *MacAddress::parse(text);
}

struct Ethernet {
  MacAddress to, from;
  std::vector<uint16_t> tags = {};  // VLAN numbers, outermost first

  [[nodiscard]] Frame wrap(uint16_t type, const Frame& payload) const {
    Frame frame;
    put_mac(frame, to);
    put_mac(frame, from);
    for (const uint16_t tag : tags) {
      put16(frame, 0x8100);
      put16(frame, tag);
    }
    put16(frame, type);
    frame.insert(frame.end(), payload.begin(), payload.end());
    return frame;
  }
};

struct Ipv4 {
  uint32_t from, to;
  uint16_t id = 1;
  uint16_t fragment = 0;         // flags and offset as on the wire
  std::size_t option_bytes = 0;  // a multiple of 4

  [[nodiscard]] Frame wrap(uint8_t protocol, const Frame& payload) const {
    Frame packet;
    packet.push_back(static_cast<uint8_t>(0x40 | (5 + option_bytes / 4)));
    packet.push_back(0);
    put16(packet, 20 + option_bytes + payload.size());
    put16(packet, id);
    put16(packet, fragment);
    packet.push_back(64);
    packet.push_back(protocol);
    put16(packet, 0);
    put32(packet, from);
    put32(packet, to);
    packet.insert(packet.end(), option_bytes, 1);  // no-operation
    packet.insert(packet.end(), payload.begin(), payload.end());
    return packet;
  }
};

inline Frame tcp(uint16_t from, uint16_t to, uint8_t flags, uint32_t sequence = 1000,
                 uint32_t acknowledgement = 0) {
  Frame segment;
  put16(segment, from);
  put16(segment, to);
  put32(segment, sequence);
  put32(segment, acknowledgement);
  segment.push_back(0x50);
  segment.push_back(flags);
  put16(segment, 65535);
  put32(segment, 0);
  return segment;
}

inline Frame udp(uint16_t from, uint16_t to, std::size_t data_bytes = 4) {
  Frame datagram;
  put16(datagram, from);
  put16(datagram, to);
  put16(datagram, 8 + data_bytes);
  put16(datagram, 0);
  datagram.insert(datagram.end(), data_bytes, 0x55);
  return datagram;
}

inline Frame sctp(uint16_t to) {  // the common header alone
  Frame packet;
  put16(packet, 40000);
  put16(packet, to);
  packet.resize(12);
  return packet;
}

inline Frame icmp(uint8_t type, const Frame& rest = {}) {
  Frame message(8 + rest.size());
  message[0] = type;
  std::copy(rest.begin(), rest.end(), message.begin() + 8);
  return message;
}

struct Arp {
  uint16_t operation;
  MacAddress sender_mac;
  uint32_t sender_ip;
  MacAddress target_mac;
  uint32_t target_ip;

  [[nodiscard]] Frame bytes() const {
    Frame packet = {0, 1, 8, 0, 6, 4};
    put16(packet, operation);
    put_mac(packet, sender_mac);
    put32(packet, sender_ip);
    put_mac(packet, target_mac);
    put32(packet, target_ip);
    return packet;
  }
};

}  // namespace nlb::test
