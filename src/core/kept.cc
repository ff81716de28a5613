// SPDX-License-Identifier: Apache-2.0
#include "core/kept.hh"

#include <algorithm>
#include <limits>

#include "core/planted.hh"
#include "wire/heartbeat.hh"

namespace nlb::core {
namespace {

constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

}  // namespace

Keeper::Keeper(std::span<const PortRule> rules, Nanos longest) : longest_(longest), kept_(kMaxSlots) {
  for (std::size_t slot = 0; slot < rules.size(); ++slot) {
    const PortRule& rule = rules[slot];
    if (!has_extended_affinity(rule)) continue;
    rules_.emplace_back();
    rules_.back().slot = slot;
    rules_.back().timeout = kSecond * rule.timeout_s;
  }
}

Nanos Keeper::shortest_timeout() const {
  Nanos shortest = kNever;
  for (const Rule& rule : rules_) shortest = std::min(shortest, rule.timeout);
  return shortest;
}

Nanos Keeper::longest_timeout() const {
  Nanos longest = 0;
  for (const Rule& rule : rules_) longest = std::max(longest, rule.timeout);
  return longest;
}

std::vector<std::size_t> Keeper::slots() const {
  std::vector<std::size_t> slots;
  for (const Rule& rule : rules_) slots.push_back(rule.slot);
  return slots;
}

void Keeper::see(const SlotBuckets& seen, Nanos now) {
  for (Rule& rule : rules_) {
    if (seen[rule.slot].none()) continue;
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
      if (seen[rule.slot][bucket]) rule.seen_at[bucket] = now;
  }
}

// When a bucket moves, or need not be kept, if nobody comes until then.
Nanos Keeper::end_of(const Rule& rule, std::size_t bucket) const {
  if (rule.seen_at[bucket] == 0) return 0;
  const Nanos idle = rule.seen_at[bucket] + rule.timeout;
  const Nanos since = rule.kept_since[bucket];
  return longest_ == 0 || since == 0 ? idle : std::min(idle, since + longest_);
}

void Keeper::choose(const SlotBuckets& owned, const SlotTables& tables, HostId self,
                    const std::vector<bool>& slots_that_may, Nanos now) {
  for (Rule& rule : rules_) {
    BucketSet& kept = kept_[rule.slot];
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket) {
      const bool lost = owned[rule.slot][bucket] && tables[rule.slot][bucket] != self;
      const bool keep =
          lost && slots_that_may[rule.slot] && now < end_of(rule, bucket) && !planted(Bug::keeps_nothing);
      kept.set(bucket, keep);
      if (!keep) rule.kept_since[bucket] = 0;
      if (keep && rule.kept_since[bucket] == 0) rule.kept_since[bucket] = now;
    }
  }
}

SlotBuckets Keeper::due(Nanos now) const {
  SlotBuckets due(kMaxSlots);
  for (const Rule& rule : rules_)
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
      if (kept_[rule.slot][bucket] && now >= end_of(rule, bucket)) due[rule.slot].set(bucket);
  return due;
}

void Keeper::let_go(const SlotBuckets& buckets) {
  for (Rule& rule : rules_) {
    kept_[rule.slot] &= ~buckets[rule.slot];
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
      if (!kept_[rule.slot][bucket]) rule.kept_since[bucket] = 0;
  }
}

void Keeper::let_go_of_all() {
  for (Rule& rule : rules_) {
    kept_[rule.slot].reset();
    std::fill(rule.kept_since.begin(), rule.kept_since.end(), 0);
  }
}

bool Keeper::keeps_anything() const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) { return kept_[rule.slot].any(); });
}

std::vector<KeptSummary> Keeper::summary() const {
  std::vector<KeptSummary> all;
  for (const Rule& rule : rules_) {
    if (kept_[rule.slot].none()) continue;
    KeptSummary one{rule.slot, kept_[rule.slot].count(), kNever, kNever, 0};
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket) {
      if (!kept_[rule.slot][bucket]) continue;
      one.since = std::min(one.since, rule.kept_since[bucket]);
      one.first_move = std::min(one.first_move, end_of(rule, bucket));
      one.last_move = std::max(one.last_move, end_of(rule, bucket));
    }
    all.push_back(one);
  }
  return all;
}

SlotTables owners_with_kept(const SlotTables& tables, std::span<const MemberKept> members) {
  SlotTables owners = tables;
  SlotBuckets taken(kMaxSlots);
  for (const MemberKept& member : members)
    for (std::size_t slot = 0; slot < member.kept->size(); ++slot) {
      const BucketSet wins = (*member.kept)[slot] & ~taken[slot];
      if (wins.none()) continue;
      taken[slot] |= wins;
      for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
        if (wins[bucket]) owners[slot][bucket] = member.id;
    }
  return owners;
}

uint8_t next_kept_generation(uint8_t generation) {
  return static_cast<uint8_t>(generation % wire::kMaxKeptGeneration + 1);
}

bool is_newer_kept(uint16_t generation, uint16_t than) {
  const int ahead = (generation + wire::kMaxKeptGeneration - than) % wire::kMaxKeptGeneration;
  return ahead != 0 && ahead <= wire::kMaxKeptGeneration / 2;
}

}  // namespace nlb::core
