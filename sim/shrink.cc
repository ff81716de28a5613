// SPDX-License-Identifier: Apache-2.0
#include "sim/shrink.hh"

#include <algorithm>

namespace nlb::sim {

FaultPlan shortened(const RunOptions& options, const RunResult& failed, int runs) {
  FaultPlan faults = failed.faults;
  if (failed.violations.empty()) return faults;
  RunOptions trial = options;
  trial.seed = failed.seed;
  trial.trace = false;
  const auto still_fails = [&](const FaultPlan& plan) {
    trial.faults = plan;
    const RunResult result = run(trial);
    return !result.violations.empty() &&
           result.violations.front().invariant == failed.violations.front().invariant;
  };
  for (std::size_t part = std::max<std::size_t>(faults.size() / 2, 1); runs > 0; part /= 2) {
    for (std::size_t at = 0; at < faults.size() && runs > 0;) {
      FaultPlan rest = faults;
      const auto from = rest.begin() + static_cast<std::ptrdiff_t>(at);
      rest.erase(from, from + static_cast<std::ptrdiff_t>(std::min(part, rest.size() - at)));
      --runs;
      if (still_fails(rest)) {
        faults = rest;
      } else {
        at += part;
      }
    }
    if (part <= 1) break;
  }
  return faults;
}

}  // namespace nlb::sim
