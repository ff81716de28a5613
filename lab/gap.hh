// SPDX-License-Identifier: Apache-2.0
// The length of an outage as a client sees it, from a series of attempts that each have a short limit.
#pragma once

#include <vector>

#include "lab/exchange.hh"

namespace nlb::lab {

struct Outage {
  bool ended = true;           // false: the last attempt of all still failed
  Monotonic gap_ns = 0;        // from the fault to the start of the first attempt after which none fails
  Monotonic unserved_ns = 0;   // of that the time from a failed attempt to the next good one: of a command
                               // that takes long, what a client notices
  unsigned failed_before = 0;  // attempts that began before the fault and failed, although over before it
  unsigned failed_after = 0;   // the others that failed
};
// `attempts` in order of their starts.
[[nodiscard]] Outage outage_after(const std::vector<Attempt>& attempts, Monotonic fault);

}  // namespace nlb::lab
