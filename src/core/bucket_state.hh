// SPDX-License-Identifier: Apache-2.0
// What the filter needs to know of a bucket: two bits, and the four values are the whole truth.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>

#include "base/limits.hh"

namespace nlb {

using BucketSet = std::bitset<kBucketCount>;

enum class BucketState : uint8_t {
  foreign = 0,          // drop everything
  owned = 1,            // accept everything (new flows only within the lease)
  foreign_checked = 2,  // new flows: drop; others: accept only with a matching local socket (held here)
  owned_checked = 3,    // new flows: accept; others: accept only with a matching local socket, drop strays
};
using SlotStates = std::array<BucketState, kBucketCount>;

}  // namespace nlb
