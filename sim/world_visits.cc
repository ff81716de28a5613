// SPDX-License-Identifier: Apache-2.0
// Extended affinity in the world: clients that return, and the filters that remember them.
#include "sim/world.hh"

namespace nlb::sim {
namespace {

constexpr uint32_t kOneInGoesForGood = 12;
constexpr int kOftenAbsentTooLong = 8;  // one absence in so many is longer than the timeout

}  // namespace

Nanos World::timeout_of(std::size_t slot) const {
  return slot < rules.size() && rules[slot].mode == FilteringMode::multiple ? kSecond * rules[slot].timeout_s
                                                                            : 0;
}

// A client's frame was accepted in an owned bucket. True: it is one of those for whom the bucket is kept, or
// would be.
bool World::remember_visit(Node& node, std::size_t slot, uint64_t client) {
  const Nanos timeout = timeout_of(slot);
  if (timeout == 0) return false;
  Visits& visits = node.visits;
  const uint32_t bucket = bucket_of(client, node.hash_seed);
  const auto before = visits.clients.find({slot, client});
  const bool known = before != visits.clients.end() && scene_.now - before->second < 2 * timeout;
  const bool kept = visits.kept[slot][bucket];
  const bool counts = known || !kept;
  if (counts) visits.clients[{slot, client}] = scene_.now;
  if (counts && kept) visits.counted_at[{slot, bucket}] = node.clock.local(scene_.now);
  if (counts || core::planted(core::Bug::kept_for_ever)) visits.seen[slot].set(bucket);
  return counts;
}

void World::write_kept(Node& node) {
  for (const std::size_t slot : node.host->keeper().slots()) {
    const BucketSet& kept = node.host->keeper().kept()[slot];
    BucketSet& before = node.visits.kept[slot];
    if (kept == before) continue;
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket) {
      if (kept[bucket] && !before[bucket])
        node.visits.counted_at[{slot, bucket}] = node.clock.local(scene_.now);
      if (kept[bucket] || !before[bucket]) continue;
      node.visits.counted_at.erase({slot, bucket});
      node.visits.let_go_at[{slot, bucket}] = scene_.now;
    }
    before = kept;
  }
}

void World::answer_visits(Node& node) {
  core::SlotBuckets seen(kMaxSlots);
  std::swap(seen, node.visits.seen);
  perform(node.port, node.host->on_visits(seen, node.clock.local(scene_.now)));
}

// What a host stands on when it keeps: this life of its daemon, its ownership, and that it takes connections.
void World::note_standing(Node& node) {
  if (timeout_of(0) == 0) return;
  std::vector<uint64_t> standing;
  if (node.host) {
    const core::Host& host = *node.host;
    standing = {host.settings().incarnation, host.ownership().times_cleared(), node.filter_closed};
    for (const auto& offer : host.members_offers(host.view().members))
      if (offer.id == node.id)
        for (std::size_t slot = 0; slot < rules.size(); ++slot)
          standing.push_back(offer.takes_new_flows && core::weight_of_offer(offer.offers[slot]) != 0);
  }
  if (standing == node.visits.standing) return;
  node.visits.standing = std::move(standing);
  ++node.visits.epoch;
}

void World::let_visitors_come(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    visitors_.push_back({.client = random_.next()});
    plan_visit(static_cast<uint32_t>(visitors_.size() - 1));
  }
}

void World::plan_visit(uint32_t index) {
  const Nanos timeout = timeout_of(0);
  const bool too_long = random_.below(kOftenAbsentTooLong) == 0;
  const Nanos absence =
      too_long ? timeout + random_.between(0, timeout) : random_.between(0, timeout * 9 / 10);
  queue_.push({scene_.now + absence, 0, index, EventKind::visit, 0, 0, 0});
}

// Somebody new comes to a bucket that is kept for others, and is answered like them.
void World::newcomer_knocks() {
  const Node& node = scene_.nodes[scene_.ports[random_.below(static_cast<uint32_t>(scene_.ports.size()))]];
  const auto& kept = node.visits.counted_at;
  if (kept.empty()) return;
  const auto [slot, bucket] =
      std::next(kept.begin(), random_.below(static_cast<uint32_t>(kept.size())))->first;
  uint64_t client = random_.next();
  while (bucket_of(client, node.hash_seed) != bucket) ++client;
  if (const Port home = meet(slot, client); home != 0) remember_visit(scene_.nodes[home], slot, client);
}

void World::visit(uint32_t index) {
  Visitor& visitor = visitors_[index];
  if (random_.below(kOneInGoesForGood) == 0) visitor = {.client = random_.next()};
  const Port home = meet(0, visitor.client);
  if (home != 0) {
    Node& node = scene_.nodes[home];
    checkers_.client_returned(visitor, home, timeout_of(0));
    // A segment of a connection that the world makes as well, in one visit of two.
    const bool counts = remember_visit(node, 0, visitor.client);
    if (random_.below(2) != 0) (void)open_flow(home, 0, visitor.client);
    visitor.met = home;
    visitor.met_at = scene_.now;
    visitor.epoch = node.visits.epoch;
    visitor.counts = counts;
  }
  newcomer_knocks();
  checkers_.let_go(timeout_of(0));
  plan_visit(index);
}

}  // namespace nlb::sim
