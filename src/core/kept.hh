// SPDX-License-Identifier: Apache-2.0
// Extended affinity, this host's side of it: when clients that count were seen in which bucket, what a host
// keeps at a change of the view, and when it lets go. Pure: visits and time are arguments. What hosts tell
// each other of it: host_kept.cc; the reasons: docs/decisions/0010-kept-buckets.md.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/config.hh"
#include "core/ownership.hh"

namespace nlb::core {

// For those who show things: one rule's kept buckets.
struct KeptSummary {
  std::size_t slot = 0;
  std::size_t buckets = 0;
  Nanos since = 0;       // of the one that is kept longest
  Nanos first_move = 0;  // when the first and the last of them move if no client returns any more
  Nanos last_move = 0;
};

class Keeper {
 public:
  // `longest` bounds how long a bucket is kept; 0 = no bound.
  Keeper(std::span<const PortRule> rules, Nanos longest);

  void keep_at_most(Nanos longest) { longest_ = longest; }
  [[nodiscard]] bool any() const { return !rules_.empty(); }  // does some rule have a timeout?
  [[nodiscard]] Nanos shortest_timeout() const;
  [[nodiscard]] Nanos longest_timeout() const;
  [[nodiscard]] std::vector<std::size_t> slots() const;

  // Buckets in which, since the last call, a client came that counts: any one where the bucket is not kept,
  // one that was seen before it was kept where it is.
  void see(const SlotBuckets& seen, Nanos now);
  // The list of a new view: of `owned`, what `tables` give to others and somebody visited within the timeout.
  // A slot that is not in `slots_that_may` keeps nothing.
  void choose(const SlotBuckets& owned, const SlotTables& tables, HostId self,
              const std::vector<bool>& slots_that_may, Nanos now);
  // Kept buckets whose time is over.
  [[nodiscard]] SlotBuckets due(Nanos now) const;
  void let_go(const SlotBuckets& buckets);
  void let_go_of_all();

  [[nodiscard]] const SlotBuckets& kept() const { return kept_; }
  [[nodiscard]] bool keeps_anything() const;
  [[nodiscard]] std::vector<KeptSummary> summary() const;

 private:
  struct Rule {
    std::size_t slot = 0;
    Nanos timeout = 0;
    std::vector<Nanos> seen_at = std::vector<Nanos>(kBucketCount);     // 0 = never
    std::vector<Nanos> kept_since = std::vector<Nanos>(kBucketCount);  // 0 = not kept
  };
  [[nodiscard]] Nanos end_of(const Rule& rule, std::size_t bucket) const;

  std::vector<Rule> rules_;
  Nanos longest_ = 0;
  SlotBuckets kept_;
};

// Who owns what in a view: the table, and over it what members keep. Two that keep the same bucket (they come
// from views that did not know of each other): the lower id. Members ascend.
struct MemberKept {
  HostId id = 0;
  const SlotBuckets* kept = nullptr;
};
[[nodiscard]] SlotTables owners_with_kept(const SlotTables& tables, std::span<const MemberKept> members);

// Numbers of kept lists: 1 to 31 and from 1 again. Of two, the one that is up to 15 ahead is the newer one.
[[nodiscard]] uint8_t next_kept_generation(uint8_t generation);
[[nodiscard]] bool is_newer_kept(uint16_t generation, uint16_t than);

}  // namespace nlb::core
