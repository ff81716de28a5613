// SPDX-License-Identifier: Apache-2.0
// Which buckets this host owns, holds or has to check, and the bucket states that follow for the filter.
// Rule of the whole file: what a host owns only shrinks, except in acquire().
#pragma once

#include <vector>

#include "core/bucket_state.hh"
#include "core/slots.hh"

namespace nlb::core {

using SlotTables = std::vector<OwnerTable>;  // by slot, only slots in use are filled
using SlotBuckets = std::vector<BucketSet>;  // by slot

// What the filter needs to know of a slot: the two bits of every bucket's state.
struct FilterSets {
  BucketSet owned, checked;
  bool operator==(const FilterSets&) const = default;
};
[[nodiscard]] SlotStates states_of(const FilterSets& sets);

class Ownership {
 public:
  explicit Ownership(std::vector<std::size_t> slots);

  void clear();                                           // owns nothing, holds whatever has a socket
  void shrink_to(const SlotTables& tables, HostId self);  // the release
  void acquire(const SlotTables& tables, HostId self);    // the one place where it grows
  void give_up(const SlotBuckets& buckets);               // some of them, within a view
  [[nodiscard]] uint64_t times_cleared() const { return times_cleared_; }
  // Acquired, and not cleared since: what is owned is what the view says.
  [[nodiscard]] bool in_force() const { return in_force_; }
  // What the socket table says: every bucket with a live connection that is not owned is held.
  void set_live(const SlotBuckets& live);
  void forget_live();  // until the next scan every foreign bucket may be held
  // Each time something is closed. A walk that began before may have missed what was accepted until then.
  [[nodiscard]] uint64_t times_forgotten() const { return times_forgotten_; }

  [[nodiscard]] bool owns_anything() const;
  [[nodiscard]] bool live_known() const { return live_known_; }
  [[nodiscard]] const SlotBuckets& owned() const { return owned_; }
  [[nodiscard]] const SlotBuckets& held() const { return held_; }
  [[nodiscard]] bool holds_anything() const { return holds_anything_; }

  // Owned buckets in `others_hold`, or all of them, are checked: strays dropped silently, no reset.
  [[nodiscard]] FilterSets filter_sets(std::size_t slot, bool check_all, const BucketSet& others_hold) const;
  [[nodiscard]] const std::vector<std::size_t>& slots() const { return slots_; }

 private:
  void look_whether_held();
  std::vector<std::size_t> slots_;
  SlotBuckets owned_, held_;
  uint64_t times_cleared_ = 0, times_forgotten_ = 0;
  bool live_known_ = false, holds_anything_ = false, in_force_ = false;
};

}  // namespace nlb::core
