// SPDX-License-Identifier: Apache-2.0
#include "wire/arp.hh"

#include <algorithm>
#include <cassert>

namespace nlb {
namespace {

constexpr std::size_t kPayloadBytes = 28;
constexpr uint8_t kRequest = 1, kReply = 2;
constexpr std::size_t kOperation = 7, kSenderMac = 8, kSenderIp = 14, kTargetIp = 24;
// Hardware type Ethernet, protocol IPv4, address lengths 6 and 4, first octet of the operation.
constexpr std::array<uint8_t, kOperation> kHeader = {0, 1, 8, 0, 6, 4, 0};

void put_ip(std::vector<uint8_t>& payload, std::size_t at, const IpAddress& ip) {
  std::copy_n(ip.octets.begin() + 12, 4, payload.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

std::vector<uint8_t> arp_request(const MacAddress& sender_mac, const IpAddress& sender,
                                 const IpAddress& target) {
  assert(sender.is_v4() && target.is_v4());
  std::vector<uint8_t> payload(kPayloadBytes);
  std::copy(kHeader.begin(), kHeader.end(), payload.begin());
  payload[kOperation] = kRequest;
  std::copy(sender_mac.octets.begin(), sender_mac.octets.end(), payload.begin() + kSenderMac);
  put_ip(payload, kSenderIp, sender);
  put_ip(payload, kTargetIp, target);
  return payload;
}

std::vector<uint8_t> arp_probe(const MacAddress& sender, const IpAddress& target) {
  return arp_request(sender, IpAddress::v4(0), target);
}

std::optional<ArpMessage> parse_arp(std::span<const uint8_t> payload) {
  if (payload.size() < kPayloadBytes) return std::nullopt;
  if (!std::equal(kHeader.begin(), kHeader.end(), payload.begin())) return std::nullopt;
  if (payload[kOperation] != kRequest && payload[kOperation] != kReply) return std::nullopt;
  ArpMessage message{payload[kOperation] == kRequest, {}, IpAddress::v4(0), IpAddress::v4(0)};
  std::copy_n(payload.begin() + kSenderMac, 6, message.sender_mac.octets.begin());
  std::copy_n(payload.begin() + kSenderIp, 4, message.sender.octets.begin() + 12);
  std::copy_n(payload.begin() + kTargetIp, 4, message.target.octets.begin() + 12);
  return message;
}

std::optional<ArpAnswer> parse_arp_reply(std::span<const uint8_t> payload) {
  const auto message = parse_arp(payload);
  if (!message || message->request) return std::nullopt;
  return ArpAnswer{message->sender, message->sender_mac};
}

}  // namespace nlb
