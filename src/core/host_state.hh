// SPDX-License-Identifier: Apache-2.0
// The states of a host and what moves it between them, as one table. Nothing else writes a host's state.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "wire/heartbeat.hh"

namespace nlb::core {

using wire::HostState;

enum class HostEvent : uint8_t {
  start,  // `nlb start`, or the configured initial state
  stop,   // `nlb stop`, a drain that ended, the daemon's end
  suspend,
  resume,  // leads to stopped, as in NLB
  drainstop,
  converged,  // all members released, own buckets acquired
  diverged,   // the view is changing, or this host is not in one
  refused,    // may not take part: configuration, duplicate id, bind
  cleared,    // the reason for a refusal is gone
};
inline constexpr std::size_t kHostStateCount = 6, kHostEventCount = 9;

// Of its view, as heartbeats state it.
enum class Phase : uint8_t { none = 0, seen = 1, released = 2, acquired = 3 };

// What the event leads to; nullopt = the event means nothing in that state (a command then says so).
[[nodiscard]] std::optional<HostState> next_state(HostState state, HostEvent event);

[[nodiscard]] std::string_view name_of(HostState state);
[[nodiscard]] std::string_view name_of(HostEvent event);
// Takes part in membership: sends heartbeats that ask for a view.
[[nodiscard]] constexpr bool is_active(HostState state) {
  return state == HostState::converging || state == HostState::converged || state == HostState::draining;
}

}  // namespace nlb::core
