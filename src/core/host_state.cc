// SPDX-License-Identifier: Apache-2.0
#include "core/host_state.hh"

namespace nlb::core {
namespace {

using S = HostState;
constexpr std::optional<S> kNone = std::nullopt;

// Rows: states in the order of HostState. Columns: events in the order of HostEvent.
//   start          stop        suspend       resume      drainstop    converged      diverged       refused
//   cleared
constexpr std::array<std::array<std::optional<S>, kHostEventCount>, kHostStateCount> kTable = {{
    /* stopped    */ {S::converging, kNone, S::suspended, kNone, kNone, kNone, kNone, kNone, kNone},
    /* suspended  */ {kNone, kNone, kNone, S::stopped, kNone, kNone, kNone, kNone, kNone},
    /* converging */
    {kNone, S::stopped, S::suspended, kNone, S::draining, S::converged, kNone, S::refused, kNone},
    /* converged  */
    {kNone, S::stopped, S::suspended, kNone, S::draining, kNone, S::converging, S::refused, kNone},
    /* draining   */ {S::converging, S::stopped, S::suspended, kNone, kNone, kNone, kNone, S::refused, kNone},
    /* refused    */ {kNone, S::stopped, S::suspended, kNone, S::stopped, kNone, kNone, kNone, S::converging},
}};

}  // namespace

std::optional<HostState> next_state(HostState state, HostEvent event) {
  return kTable[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

std::string_view name_of(HostState state) {
  constexpr std::array<std::string_view, kHostStateCount> names = {"stopped",   "suspended", "converging",
                                                                   "converged", "draining",  "refused"};
  return names[static_cast<std::size_t>(state)];
}

std::string_view name_of(HostEvent event) {
  constexpr std::array<std::string_view, kHostEventCount> names = {
      "start", "stop", "suspend", "resume", "drainstop", "converged", "diverged", "refused", "cleared"};
  return names[static_cast<std::size_t>(event)];
}

}  // namespace nlb::core
