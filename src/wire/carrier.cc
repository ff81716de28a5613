// SPDX-License-Identifier: Apache-2.0
#include "wire/carrier.hh"

#include <algorithm>

namespace nlb::wire {
namespace {

constexpr std::size_t kIpv4Bytes = 20, kIpv6Bytes = 40;
constexpr uint8_t kHopLimit = 255;     // no router has passed it on (RFC 5082)
constexpr uint8_t kGroupHopLimit = 1;  // no router passes it on, whatever groups it routes
constexpr uint16_t kDontFragment = 0x4000, kFragment = 0x3fff;

void put16(uint8_t* to, std::size_t value) {
  to[0] = static_cast<uint8_t>(value >> 8);
  to[1] = static_cast<uint8_t>(value);
}
uint16_t get16(const uint8_t* from) {
  return static_cast<uint16_t>(from[0] << 8 | from[1]);
}

uint16_t checksum(std::span<const uint8_t> header) {
  uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < header.size(); i += 2) sum += get16(&header[i]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

std::size_t header_bytes(const IpAddress& to) {
  return to.is_v4() ? kIpv4Bytes : kIpv6Bytes;
}

uint8_t hop_limit(const IpAddress& to) {
  return to.is_multicast() ? kGroupHopLimit : kHopLimit;
}

}  // namespace

std::vector<uint8_t> carry(std::span<const uint8_t> heartbeat, const IpAddress& source, const IpAddress& to) {
  std::vector<uint8_t> packet(header_bytes(to));
  const IpAddress from = source.is_v4() == to.is_v4() ? source : to.is_v4() ? IpAddress::v4(0) : IpAddress{};
  if (to.is_v4()) {
    packet[0] = 0x45;
    put16(&packet[2], kIpv4Bytes + heartbeat.size());
    put16(&packet[6], kDontFragment);
    packet[8] = hop_limit(to);
    packet[9] = kCarrierProtocol;
    std::copy_n(from.octets.begin() + 12, 4, packet.begin() + 12);
    std::copy_n(to.octets.begin() + 12, 4, packet.begin() + 16);
    put16(&packet[10], checksum(packet));
  } else {
    packet[0] = 0x60;
    put16(&packet[4], heartbeat.size());
    packet[6] = kCarrierProtocol;
    packet[7] = hop_limit(to);
    std::copy(from.octets.begin(), from.octets.end(), packet.begin() + 8);
    std::copy(to.octets.begin(), to.octets.end(), packet.begin() + 24);
  }
  packet.insert(packet.end(), heartbeat.begin(), heartbeat.end());
  return packet;
}

std::optional<std::span<const uint8_t>> carried_in(std::span<const uint8_t> packet, const IpAddress& to) {
  const std::size_t header = header_bytes(to), from = to.is_v4() ? 12 : 0, at = to.is_v4() ? 16 : 24;
  if (packet.size() < header) return std::nullopt;
  if (!std::equal(to.octets.begin() + static_cast<std::ptrdiff_t>(from), to.octets.end(),
                  packet.begin() + static_cast<std::ptrdiff_t>(at)))
    return std::nullopt;
  const uint8_t hops = hop_limit(to);
  const bool sound = to.is_v4() ? packet[0] == 0x45 && packet[8] == hops && packet[9] == kCarrierProtocol &&
                                      (get16(&packet[6]) & kFragment) == 0
                                : packet[0] >> 4 == 6 && packet[6] == kCarrierProtocol && packet[7] == hops;
  if (!sound) return std::nullopt;
  return packet.subspan(header);
}

}  // namespace nlb::wire
