// SPDX-License-Identifier: Apache-2.0
#include "core/peer.hh"

#include <algorithm>

namespace nlb::core {

void Candidates::note(const Candidate& heard, Nanos longest_silence) {
  const bool known = highest_ && highest_->incarnation == heard.incarnation;
  if (known && heard.sequence < highest_->sequence) return;
  const bool replaces = !highest_ || known || heard.incarnation > highest_->incarnation ||
                        heard.heard_at - highest_->heard_at >= longest_silence;
  if (!replaces) {
    latest_ = heard;
    return;
  }
  if (!known) latest_ = highest_;
  highest_ = heard;
}

const Candidate* Candidates::in_turn(uint64_t turn, Nanos now, Nanos longest_silence) const {
  const auto heard = [&](const std::optional<Candidate>& one) {
    return one && now - one->heard_at < longest_silence;
  };
  if (heard(latest_) && (turn % 2 != 0 || !heard(highest_))) return &*latest_;
  return heard(highest_) ? &*highest_ : nullptr;
}

bool HeldList::take(const wire::HeldPart& part) {
  if (view != part.view || generation != part.generation || parts_expected != part.parts) {
    *this = HeldList{};
    view = part.view;
    generation = part.generation;
    parts_expected = part.parts;
    held_from = part.held_from;
    parts_seen.assign(part.parts, false);
    slots.resize(kMaxSlots);
  }
  if (parts_seen[part.part]) return false;
  parts_seen[part.part] = true;
  for (const auto& slot : part.slots) slots[slot.slot] = slot.buckets;
  return std::find(parts_seen.begin(), parts_seen.end(), false) == parts_seen.end();
}

}  // namespace nlb::core
