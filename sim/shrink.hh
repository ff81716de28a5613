// SPDX-License-Identifier: Apache-2.0
// From a run that violates an invariant to a short list of faults that still does: delta debugging over the
// list. Parts of it are left out, large ones first, as long as the same invariant is violated.
#pragma once

#include "sim/run.hh"

namespace nlb::sim {

// `runs` bounds how many runs it may take.
[[nodiscard]] FaultPlan shortened(const RunOptions& options, const RunResult& failed, int runs = 150);

}  // namespace nlb::sim
