// SPDX-License-Identifier: Apache-2.0
// How often chance alone would evict a host whose frames are lost at the sender, so that a report can set
// what was computed beside what was executed.
#pragma once

#include <cstdint>

namespace nlb::sim {

// False evictions a day, of a cluster whose hosts each lose `loss` (0 to 1) of what they send. Derivation:
// docs/results/simulation.md, "Loss at the sender".
[[nodiscard]] double false_evictions_a_day(double loss, int hosts, uint32_t period_ms, uint32_t tolerance);

}  // namespace nlb::sim
