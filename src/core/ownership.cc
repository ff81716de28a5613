// SPDX-License-Identifier: Apache-2.0
#include "core/ownership.hh"

#include "core/planted.hh"

namespace nlb::core {

Ownership::Ownership(std::vector<std::size_t> slots)
    : slots_(std::move(slots)), owned_(kMaxSlots), held_(kMaxSlots) {}

void Ownership::clear() {
  for (std::size_t slot : slots_) owned_[slot].reset();
  in_force_ = false;
  ++times_cleared_;
  forget_live();
}

void Ownership::shrink_to(const SlotTables& tables, HostId self) {
  for (std::size_t slot : slots_)
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
      if (tables[slot][bucket] != self) owned_[slot].reset(bucket);
  forget_live();
}

void Ownership::acquire(const SlotTables& tables, HostId self) {
  for (std::size_t slot : slots_) {
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
      owned_[slot].set(bucket, tables[slot][bucket] == self);
    held_[slot] &= ~owned_[slot];
  }
  in_force_ = true;
  look_whether_held();
}

void Ownership::give_up(const SlotBuckets& buckets) {
  for (std::size_t slot : slots_) owned_[slot] &= ~buckets[slot];
  forget_live();
}

void Ownership::set_live(const SlotBuckets& live) {
  for (std::size_t slot : slots_) held_[slot] = live[slot] & ~owned_[slot];
  live_known_ = true;
  look_whether_held();
}

void Ownership::forget_live() {
  ++times_forgotten_;
  live_known_ = false;
}

bool Ownership::owns_anything() const {
  for (std::size_t slot : slots_)
    if (owned_[slot].any()) return true;
  return false;
}

void Ownership::look_whether_held() {
  holds_anything_ = false;
  for (std::size_t slot : slots_) holds_anything_ = holds_anything_ || held_[slot].any();
}

FilterSets Ownership::filter_sets(std::size_t slot, bool check_all, const BucketSet& others_hold) const {
  const bool unknown = !live_known_ && !planted(Bug::closed_while_unknown);
  BucketSet may_hold;
  if (unknown) {
    may_hold.set();
  } else if (!planted(Bug::own_flows_dropped)) {
    may_hold = held_[slot];
  }
  BucketSet others_may = others_hold;
  if (check_all) others_may.set();
  const BucketSet& owned = owned_[slot];
  return {owned, (owned & others_may) | (~owned & may_hold)};
}

// The two bits of a state (bucket_state.hh): owned, checked.
SlotStates states_of(const FilterSets& sets) {
  SlotStates states;
  for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
    states[bucket] = static_cast<BucketState>(static_cast<unsigned>(sets.owned[bucket]) |
                                              static_cast<unsigned>(sets.checked[bucket]) << 1);
  return states;
}

}  // namespace nlb::core
