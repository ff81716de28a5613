// SPDX-License-Identifier: Apache-2.0
#include "wire/nd.hh"

#include <algorithm>
#include <cassert>

#include "wire/bytes.hh"

namespace nlb {
namespace {

constexpr std::size_t kHeaderBytes = 40, kHeadBytes = 24, kOptionBytes = 8;
constexpr uint8_t kIcmpv6 = 58, kHopLimit = 255;
constexpr uint8_t kSolicitation = 135, kAdvertisement = 136;
constexpr uint8_t kSourceOption = 1, kTargetOption = 2, kNonceOption = 14;
constexpr uint32_t kOverride = 0x20000000;
const IpAddress kAllNodes{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

// RFC 8200 section 8.1, over addresses and message; 0 when the message carries its right checksum.
uint16_t checksum(std::span<const uint8_t> addresses, std::span<const uint8_t> message) {
  uint32_t sum = kIcmpv6 + static_cast<uint32_t>(message.size());
  for (const auto part : {addresses, message})
    for (std::size_t i = 0; i < part.size(); ++i) sum += i % 2 == 0 ? uint32_t{part[i]} << 8 : part[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

struct Option {
  uint8_t type;
  MacAddress mac;
};

std::vector<uint8_t> packet_of(const IpAddress& source, const IpAddress& destination, uint8_t type,
                               uint32_t flags, const IpAddress& target, const Option& option) {
  assert(!target.is_v4());
  wire::Writer packet(kHeaderBytes + kHeadBytes + kOptionBytes);
  packet.put(uint32_t{0x60000000});
  packet.put(static_cast<uint16_t>(kHeadBytes + kOptionBytes));
  packet.put(kIcmpv6);
  packet.put(kHopLimit);
  packet.put(source.octets);
  packet.put(destination.octets);
  packet.put(type);
  packet.put(uint8_t{0});
  packet.put(uint16_t{0});
  packet.put(flags);
  packet.put(target.octets);
  packet.put(option.type);
  packet.put(uint8_t{1});
  packet.put(option.mac.octets);
  std::vector<uint8_t>& bytes = packet.bytes();
  const std::span<const uint8_t> whole(bytes);
  const uint16_t sum = checksum(whole.subspan(8, 32), whole.subspan(kHeaderBytes));
  bytes[kHeaderBytes + 2] = static_cast<uint8_t>(sum >> 8);
  bytes[kHeaderBytes + 3] = static_cast<uint8_t>(sum);
  return bytes;
}

// False when they are malformed. Of several options of one type the first counts.
bool read_options(std::span<const uint8_t> options, NdMessage& message) {
  const uint8_t wanted = message.solicitation ? kSourceOption : kTargetOption;
  while (!options.empty()) {
    if (options.size() < kOptionBytes || options[1] == 0) return false;
    const std::size_t bytes = kOptionBytes * options[1];
    if (bytes > options.size()) return false;
    MacAddress mac;
    std::copy_n(options.begin() + 2, 6, mac.octets.begin());
    if (bytes == kOptionBytes && options[0] == wanted && !message.mac) message.mac = mac;
    if (bytes == kOptionBytes && options[0] == kNonceOption && !message.nonce) message.nonce = mac;
    options = options.subspan(bytes);
  }
  return true;
}

}  // namespace

std::vector<uint8_t> nd_probe(const MacAddress& nonce, const IpAddress& target) {
  return packet_of({}, solicited_node(target), kSolicitation, 0, target, {kNonceOption, nonce});
}

std::vector<uint8_t> nd_announcement(const IpAddress& address, const MacAddress& mac) {
  return packet_of(address, kAllNodes, kAdvertisement, kOverride, address, {kTargetOption, mac});
}

std::optional<NdMessage> parse_nd(std::span<const uint8_t> packet) {
  if (packet.size() < kHeaderBytes + kHeadBytes || packet[0] >> 4 != 6) return std::nullopt;
  const std::size_t bytes = static_cast<std::size_t>(packet[4] << 8 | packet[5]);
  if (packet[6] != kIcmpv6 || packet[7] != kHopLimit || bytes < kHeadBytes) return std::nullopt;
  if (kHeaderBytes + bytes > packet.size()) return std::nullopt;
  const auto icmp = packet.subspan(kHeaderBytes, bytes);
  if ((icmp[0] != kSolicitation && icmp[0] != kAdvertisement) || icmp[1] != 0) return std::nullopt;
  if (checksum(packet.subspan(8, 32), icmp) != 0) return std::nullopt;
  NdMessage message;
  message.solicitation = icmp[0] == kSolicitation;
  std::copy_n(packet.begin() + 8, 16, message.source.octets.begin());
  std::copy_n(icmp.begin() + 8, 16, message.target.octets.begin());
  if (!read_options(icmp.subspan(kHeadBytes), message)) return std::nullopt;
  return message;
}

IpAddress solicited_node(const IpAddress& address) {
  IpAddress group{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};
  std::copy_n(address.octets.begin() + 13, 3, group.octets.begin() + 13);
  return group;
}

MacAddress group_mac(const IpAddress& group) {
  const auto& o = group.octets;
  return MacAddress{{0x33, 0x33, o[12], o[13], o[14], o[15]}};
}

}  // namespace nlb
