// SPDX-License-Identifier: Apache-2.0
// Reads and clears what the filter notes of visits, and lets its memory of clients grow old
// (nlb/abi/visit.h).
#pragma once

#include <span>
#include <vector>

#include "base/net.hh"
#include "core/bucket_state.hh"
#include "datapath/maps.hh"

namespace nlb {

class VisitMemory {
 public:
  static void set_kept(nlb_visit_row& row, const BucketSet& kept);
  [[nodiscard]] static std::vector<BucketSet> take(SharedState& state, std::span<const std::size_t> slots);
  // Each `timeout`: what was remembered before the last time is forgotten.
  void grow_older(SharedState& state, Nanos timeout, Nanos now);
  static void begin_generation(SharedState& state);

 private:
  Nanos begun_at_ = 0;  // the present generation
};

}  // namespace nlb
