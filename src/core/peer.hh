// SPDX-License-Identifier: Apache-2.0
// What this host knows of another one, from its heartbeats alone.
#pragma once

#include <optional>
#include <vector>

#include "core/bucket_state.hh"
#include "wire/heartbeat.hh"

namespace nlb::core {

// An incarnation that was heard but has not yet proved that it hears us: its frames may be a replay.
struct Candidate {
  uint64_t incarnation = 0;
  uint64_t sequence = 0;
  Nanos heard_at = 0;
};

// The peer's held list, or its kept list, of one (view, generation), collected from its parts.
struct HeldList {
  uint32_t view = 0;
  uint16_t generation = 0;
  uint16_t parts_expected = 0;
  uint16_t held_from = 0;  // of a kept list
  std::vector<bool> parts_seen;
  std::vector<BucketSet> slots;  // by slot; empty until a part has come

  bool take(const wire::HeldPart& part);  // true: with it the list is complete
};

struct Peer {
  bool believed = false;  // its incarnation has echoed a recent frame of ours
  uint64_t incarnation = 0;
  uint64_t sequence = 0;      // highest accepted
  Nanos heard_at = 0;         // newest accepted frame
  Nanos mutual_since = 0;     // since when we hear each other; 0 = not now
  Nanos prompt_at = 0;        // newest frame with an echo of ours that was young enough to give a lease
  Nanos echoed_send = 0;      // send time of our newest frame that it echoed without accusing us
  wire::Heartbeat heartbeat;  // newest accepted
  bool accused = false;  // silent for D; a promise not to extend its lease until a later view readmits it
  uint32_t accused_in_view = 0;
  Nanos removed_at = 0;  // from our view
  bool asked = false;    // the question by unicast is out
  std::optional<Candidate> candidate;
  Nanos rival_heard_at = 0;   // another living machine with this id, which hears us
  bool rival_serves = false;  // ... and said then that it was in a view
  HeldList held;              // newest list that is complete
  HeldList collecting;        // parts of a newer one
  HeldList kept, collecting_kept;
};

}  // namespace nlb::core
