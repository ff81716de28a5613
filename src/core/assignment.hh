// SPDX-License-Identifier: Apache-2.0
// Which host owns which bucket: a function of members and weights alone, the same on every host.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/limits.hh"
#include "base/net.hh"

namespace nlb::core {

struct Share {
  HostId id = 0;
  uint32_t weight = 0;  // 0 = takes nothing
  bool operator==(const Share&) const = default;
};

using OwnerTable = std::array<HostId, kBucketCount>;  // 0 = nobody

// Buckets per host: proportional to weight, rounded by largest remainder (ties: lower id). The sum is
// kBucketCount unless every weight is 0. Same order as `shares`.
[[nodiscard]] std::vector<uint32_t> quotas(std::span<const Share> shares);

// Rendezvous order with quotas. `shares` ascend by id, each id once. No floating point: every architecture
// computes the same table.
[[nodiscard]] OwnerTable assign_buckets(std::span<const Share> shares);

// How little `id` wants `bucket`, before its weight is taken into account: -log2 of a hash in (0,1], 16.16
// fixed point. Exposed for the independent oracle.
[[nodiscard]] uint32_t distance(uint32_t bucket, HostId id);

}  // namespace nlb::core
