// SPDX-License-Identifier: Apache-2.0
// What is to be known of IGMP: the kernel joins and answers, here it is only told when somebody asks.
#pragma once

#include <cstdint>
#include <span>

namespace nlb {

inline constexpr uint8_t kIgmpProtocol = 2;  // of IP

// A membership query of any version (RFC 2236, RFC 9776), in a whole IPv4 packet.
[[nodiscard]] inline bool is_igmp_query(std::span<const uint8_t> packet) {
  constexpr uint8_t kQuery = 0x11;
  constexpr std::size_t kIgmpBytes = 8;
  if (packet.empty() || packet[0] >> 4 != 4) return false;
  const std::size_t header = (packet[0] & 15U) * 4U;
  return header >= 20 && packet.size() >= header + kIgmpBytes && packet[9] == kIgmpProtocol &&
         packet[header] == kQuery;
}

}  // namespace nlb
