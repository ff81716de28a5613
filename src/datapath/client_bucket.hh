// SPDX-License-Identifier: Apache-2.0
// The bucket of a client, by the same code that the kernel programs run (docs/protocol/bucket-hash.md).
#pragma once

#include <array>
#include <cstdint>

#include "base/net.hh"
#include "core/config.hh"

namespace nlb {

// 0..kBucketCount-1. `port` counts for affinity none only.
[[nodiscard]] uint32_t client_bucket(const std::array<uint8_t, 16>& seed, Affinity affinity,
                                     const IpAddress& client, uint16_t port);
// The seed as the programs have it: two little-endian numbers.
[[nodiscard]] uint32_t client_bucket(uint64_t seed0, uint64_t seed1, uint32_t affinity,
                                     const IpAddress& client, uint16_t port);

}  // namespace nlb
