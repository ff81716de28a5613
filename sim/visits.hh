// SPDX-License-Identifier: Apache-2.0
// Clients that come again, and what a host's filter remembers of those who came (bpf/lib/visit.h): exact
// here, where the kernel has a Bloom filter.
#pragma once

#include <map>
#include <vector>

#include "core/ownership.hh"
#include "sim/acquaintance.hh"

namespace nlb::sim {

struct Visitor {  // a client that returns
  uint64_t client = 0;
  Port met = 0;  // who answered last; 0 = nobody yet
  Nanos met_at = 0;
  uint64_t epoch = 0;   // of that host, then
  bool counts = false;  // it was among those for whom that host keeps its bucket
};

// The filter's memory on one machine.
struct Visits {
  core::SlotBuckets seen = core::SlotBuckets(kMaxSlots);  // since the daemon has read it
  core::SlotBuckets kept = core::SlotBuckets(kMaxSlots);  // as the daemon says
  std::map<std::pair<std::size_t, uint64_t>, Nanos> clients;
  // When a client that counts came last to a kept bucket, or when it became kept, by the host's clock; and
  // when buckets ceased to be kept, by the world's. By slot and bucket.
  std::map<std::pair<std::size_t, std::size_t>, Nanos> counted_at, let_go_at;
  // Grows when the host gives up what it owned, or may no longer keep: from then on nobody can expect it to.
  uint64_t epoch = 0;
  std::vector<uint64_t> standing;  // by which that is noticed
};

}  // namespace nlb::sim
