// SPDX-License-Identifier: Apache-2.0
// ARP payloads (RFC 826), 28 bytes, to structs and back: the probe that nobody caches (RFC 5227), its answer,
// and the announcement.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/net.hh"

namespace nlb {

// A question with sender IP 0.0.0.0 (RFC 5227 probe) is cached by nobody.
[[nodiscard]] std::vector<uint8_t> arp_probe(const MacAddress& sender, const IpAddress& target);
// Any question; with sender = target an announcement. Both IPv4.
[[nodiscard]] std::vector<uint8_t> arp_request(const MacAddress& sender_mac, const IpAddress& sender,
                                               const IpAddress& target);
struct ArpAnswer {
  IpAddress address;
  MacAddress mac;
};
[[nodiscard]] std::optional<ArpAnswer> parse_arp_reply(std::span<const uint8_t> payload);
// Any ARP for IPv4 over Ethernet; nullopt for anything else.
struct ArpMessage {
  bool request = false;
  MacAddress sender_mac;
  IpAddress sender, target;
  bool operator==(const ArpMessage&) const = default;
};
[[nodiscard]] std::optional<ArpMessage> parse_arp(std::span<const uint8_t> payload);

}  // namespace nlb
