// SPDX-License-Identifier: Apache-2.0
// What this host knows of another one, from its heartbeats alone.
#pragma once

#include <algorithm>
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

// Those of one host. The living one must not be hidden by dead ones whose frames a stranger sends again:
// mostly its incarnation is the highest, but not after its clock was set back.
class Candidates {
 public:
  void note(const Candidate& heard, Nanos longest_silence);
  // Which one is listed this time; nullptr = none was heard for so long.
  [[nodiscard]] const Candidate* in_turn(uint64_t turn, Nanos now, Nanos longest_silence) const;
  [[nodiscard]] bool any() const { return highest_ || latest_; }
  void reset() { highest_ = latest_ = std::nullopt; }

 private:
  std::optional<Candidate> highest_, latest_;  // latest_: of the others
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
  bool resumed = false;   // ... or of the daemon before this one: has not echoed this one yet
  uint64_t incarnation = 0;
  uint64_t sequence = 0;       // highest accepted
  Nanos heard_at = 0;          // newest accepted frame
  Nanos mutual_since = 0;      // since when we hear each other; 0 = not now
  Nanos prompt_at = 0;         // newest frame with an echo of ours that was young enough to give a lease
  Nanos in_no_view_since = 0;  // as it says; 0 = it is in one
  Nanos fenced_at = 0;         // the switch says that this incarnation is cut off; 0 = not
  Nanos echoed_send = 0;       // send time of our newest frame that it echoed without accusing us
  wire::Heartbeat heartbeat;   // newest accepted
  bool accused = false;  // silent for D; a promise not to extend its lease until a later view readmits it
  uint32_t accused_in_view = 0;
  Nanos accused_at = 0;
  Nanos admitted_at = 0, removed_at = 0;  // to our view, and from it
  int short_stays = 0;                    // one after the other, each ended by an eviction
  Candidates candidates;

  void accuse(uint32_t view, Nanos now) {
    accused = true;
    accused_in_view = view;
    accused_at = now;
  }

  // Frames of this id that echo nothing of ours: since when without a break (0 = not now), the newest, told.
  Nanos unechoed_since = 0, unechoed_at = 0, unechoed_told_at = 0;
  Nanos rival_heard_at = 0;   // another living machine with this id, which hears us
  bool rival_serves = false;  // ... and said then that it was in a view
  HeldList held;              // newest list that is complete
  HeldList collecting;        // parts of a newer one
  HeldList kept, collecting_kept;
};

// A link that flaps: a member that was evicted twice soon after it had been admitted has to be heard without
// a break for a second before it is admitted again, then for two, four, eight.
[[nodiscard]] inline Nanos hold_down(const Peer& peer) {
  constexpr int kLongest = 3;  // 8 s: longer than the stays that count are
  if (peer.short_stays < 2) return 0;
  return kSecond << std::min(peer.short_stays - 2, kLongest);
}
[[nodiscard]] inline bool is_held_down(const Peer& peer, Nanos now) {
  const bool steady = peer.mutual_since != 0 && now - peer.mutual_since >= hold_down(peer);
  return hold_down(peer) != 0 && !steady;
}

}  // namespace nlb::core
