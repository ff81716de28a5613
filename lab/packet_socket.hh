// SPDX-License-Identifier: Apache-2.0
// Raw frames on one adapter of the calling thread's namespace, or on all of them.
#pragma once

#include <cstdint>

namespace nlb::lab {

inline constexpr uint16_t kHeartbeatType = 0x88b5;  // docs/protocol/heartbeat.md
inline constexpr uint8_t kHeartbeatProtocol = 253;  // of IP, in modes multicast and igmp

// `index` 0 = every adapter; ether_type 0 = it receives nothing. -1 with errno when it cannot be had.
[[nodiscard]] int packet_socket(unsigned index, uint16_t ether_type);

}  // namespace nlb::lab
