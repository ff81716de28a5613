// SPDX-License-Identifier: Apache-2.0
// One seed: a cluster is drawn, boots in a storm, and goes through rounds of faults. In each round safety is
// judged at every step; then everything heals, and the cluster has to settle within a bounded number of
// heartbeats and to cover every bucket.
#pragma once

#include <optional>

#include "sim/world.hh"

namespace nlb::sim {

enum class Profile : uint8_t { drawn, standard, fast };  // of heartbeats: one seed in four is drawn fast

struct RunOptions {
  uint64_t seed = 1;
  Profile profile = Profile::drawn;
  HostId hosts = 0;  // 0 = drawn, 2 to 16
  Nanos duration = 600 * kSecond;
  std::vector<FaultKind> kinds;     // empty = all
  std::optional<FaultPlan> faults;  // given: in place of the drawn list, times from the start
  int64_t sender_loss = 0;          // parts in a million, all the time
  uint32_t timeout_s = 0;           // extended affinity of the first rule, and clients that return; 0 = none
  bool fences = false;              // the switch fences ports that go down, and tells the hosts
  bool trace = false;
  std::string only;  // judge by this invariant alone; empty = by all
};

struct RunResult {
  uint64_t seed = 0, hash = 0;
  HostId hosts = 0;
  uint32_t period_ms = 0, tolerance = 0;
  int64_t sender_loss = 0;  // parts in a million
  Nanos simulated = 0;
  FaultPlan faults;  // that were met, times from the start
  std::vector<Violation> violations;
  Counters counters;
  Nanos longest_frozen_window = 0, lease_length = 0;
  Nanos longest_settling = 0;
  uint64_t excused_resets = 0;
  uint64_t held_down = 0;  // rounds at whose end some host had to be steady for a while first
};

// Heartbeats within which a healed cluster has to be one: listening (D = 10), the lease of those left behind,
// and two or three rounds of views.
inline constexpr int kSettleHeartbeats = 80;

[[nodiscard]] RunResult run(const RunOptions& options);

}  // namespace nlb::sim
