// SPDX-License-Identifier: Apache-2.0
// The event counts of a scrape. Those of nlb-vmswitch have numbers from 1100 to 1199; a command is either's.
#pragma once

#include "metrics/exposition.hh"
#include "nlbd/event_list.hh"

namespace nlb {

inline void add_events(Exposition& metrics, const std::array<uint64_t, kEventCount>& counts,
                       MetricProgram program) {
  for (std::size_t i = 0; i < kEventCount; ++i) {
    const EventId id = static_cast<EventId>(i);
    const EventKind& kind = kind_of(id);
    const bool of_guard = kind.number >= 1100 && kind.number < 1200;
    const bool of_both = id == EventId::commanded || id == EventId::metrics_not_served;
    if (of_both || of_guard == (program == MetricProgram::guard))
      metrics.add(Metric::events, static_cast<double>(counts[i]),
                  {std::to_string(kind.number), kind.name, name_of(kind.severity)});
  }
}

}  // namespace nlb
