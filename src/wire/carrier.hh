// SPDX-License-Identifier: Apache-2.0
// Heartbeats as IP packets (docs/protocol/heartbeat.md, "Carried in IP"). Switches that snoop sort IP apart
// from everything else, so in modes multicast and igmp only a packet for the primary VIP shows what becomes
// of clients' packets; and in mode igmp only what goes to the group that the hosts have joined stays with
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/net.hh"

namespace nlb::wire {

inline constexpr uint8_t kCarrierProtocol = 253;  // of IP; RFC 3692
inline constexpr uint16_t kIpv4EtherType = 0x0800, kIpv6EtherType = 0x86dd;

// `to`: a VIP or the group. `source` of the other family, or none: the packet's is 0.0.0.0 or ::.
[[nodiscard]] std::vector<uint8_t> carry(std::span<const uint8_t> heartbeat, const IpAddress& source,
                                         const IpAddress& to);
// What such a packet carries; nullopt for any other.
[[nodiscard]] std::optional<std::span<const uint8_t>> carried_in(std::span<const uint8_t> packet,
                                                                 const IpAddress& to);

}  // namespace nlb::wire
