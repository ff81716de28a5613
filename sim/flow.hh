// SPDX-License-Identifier: Apache-2.0
// Clients' connections. What matters of TCP here: a segment reaches every host; where there is no socket for
// it and the filter lets it through, the stack makes a reset, and the egress program holds the first one back
// (bpf/lib/egress_reset.h).
#pragma once

#include <vector>

#include "sim/acquaintance.hh"
#include "sim/random.hh"

namespace nlb::sim {

struct Provocation {  // of a reset at a host that has no socket for the flow
  Port port = 0;
  Nanos first = 0;  // by that host's clock
};

struct Flow {
  Port home = 0;  // where it was established; 0 = there is none
  std::size_t slot = 0;
  uint64_t client = 0;
  Nanos ends_at = 0;
  uint8_t generation = 0;
  std::vector<Provocation> provocations;
};

// The bucket that a client falls into on a host with this seed.
[[nodiscard]] inline uint32_t bucket_of(uint64_t client, uint64_t seed) {
  return static_cast<uint32_t>(mix(client ^ seed) % kBucketCount);
}

}  // namespace nlb::sim
