// SPDX-License-Identifier: Apache-2.0
#include "core/peer.hh"

#include <algorithm>

namespace nlb::core {

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
