// SPDX-License-Identifier: Apache-2.0
// Clients: they come at random, are accepted by whoever owns their bucket, send segments that every host
// sees, and most go soon.
#include "sim/world.hh"

namespace nlb::sim {
namespace {

constexpr Nanos kBetweenClients = 200 * kMillisecond;   // at most
constexpr Nanos kBetweenSegments = 400 * kMillisecond;  // at most
constexpr Nanos kResetForgotten = 10 * kSecond;         // NLB_RESET_FORGET_NS

}  // namespace

void World::let_clients_come(bool come) {
  if (come && !clients_come_) queue_.push({scene_.now, 0, 0, EventKind::connect, 0, 0, 0});
  clients_come_ = come;
}

void World::client_comes() {
  if (demanded_ != 0) checkers_.full_cover(demanded_);
  if (!clients_come_) return;
  (void)connect(scene_.slots[random_.below(static_cast<uint32_t>(scene_.slots.size()))]);
  queue_.push({scene_.now + random_.between(0, kBetweenClients), 0, 0, EventKind::connect, 0, 0, 0});
}

bool World::connect(std::size_t slot) {
  const uint64_t client = random_.next();
  const Port home = meet(slot, client);
  if (home == 0) {
    ++counters_.unanswered;
    return false;
  }
  ++counters_.connections;
  remember_visit(scene_.nodes[home], slot, client);
  const uint32_t index = open_flow(home, slot, client);
  scene_.trace.mark(client, scene_.flows[index].home);
  return true;
}

Port World::meet(std::size_t slot, uint64_t client) {
  const uint64_t choice = random_.next();
  std::array<Port, kMaxHosts + 1> who{};
  std::size_t count = 0;
  for (const Port port : scene_.ports) {
    const Node& node = scene_.nodes[port];
    if (node.serves() && node.accepts(slot, bucket_of(client, node.hash_seed), scene_.now))
      who[count++] = port;
  }
  return count == 0 ? Port{0} : who[choice % count];
}

uint32_t World::open_flow(Port home, std::size_t slot, uint64_t client) {
  uint32_t index = static_cast<uint32_t>(scene_.flows.size());
  if (free_flows_.empty()) {
    scene_.flows.emplace_back();
  } else {
    index = free_flows_.back();
    free_flows_.pop_back();
  }
  Flow& flow = scene_.flows[index];
  flow.home = home;
  flow.slot = slot;
  flow.client = client;
  flow.provocations.clear();
  constexpr Nanos kAsLongAsTheWorld = Nanos{1} << 60;
  flow.ends_at = kAsLongAsTheWorld;
  scene_.nodes[home].flows.push_back(index);
  constexpr std::array<Nanos, 8> kLongest = {2 * kSecond, 2 * kSecond, 2 * kSecond,  2 * kSecond,
                                             2 * kSecond, 8 * kSecond, 20 * kSecond, 60 * kSecond};
  if (clients_come_) flow.ends_at = scene_.now + random_.between(kSecond / 10, kLongest[random_.below(8)]);
  const Nanos first = scene_.now + random_.between(0, kBetweenSegments);
  queue_.push({first, 0, index, EventKind::segment, 0, 0, flow.generation});
  return index;
}

void World::close_flow(uint32_t index) {
  Flow& flow = scene_.flows[index];
  std::erase(scene_.nodes[flow.home].flows, index);
  flow.home = 0;
  ++flow.generation;
  free_flows_.push_back(index);
}

void World::close_flows(Port port) {
  const auto flows = scene_.nodes[port].flows;
  for (const uint32_t index : flows) close_flow(index);
}

// The rule of the egress program: a reset that the stack makes for a segment without a socket is held back
// the first time; it leaves when the same flow provokes it again, two periods to ten seconds later, within
// the lease.
bool World::provokes_reset(Node& node, Flow& flow) {
  const Nanos local = node.clock.local(scene_.now);
  for (Provocation& known : flow.provocations) {
    if (known.port != node.port) continue;
    const Nanos since = local - known.first;
    if (since >= 0 && since <= kResetForgotten) return since >= 2 * scene_.period() && local < node.lease;
    known.first = local;
    return false;
  }
  flow.provocations.push_back({node.port, local});
  return false;
}

void World::send_segment(uint32_t index) {
  Flow& flow = scene_.flows[index];
  if (scene_.now >= flow.ends_at) return close_flow(index);
  ++counters_.segments;
  for (const Port port : scene_.ports) {
    Node& node = scene_.nodes[port];
    if (port == flow.home || !node.serves()) continue;
    const BucketState state = node.state(flow.slot, bucket_of(flow.client, node.hash_seed));
    if (state != BucketState::owned || !provokes_reset(node, flow)) continue;
    tell("host " + std::to_string(node.id) + " resets a connection of host " +
         std::to_string(scene_.nodes[flow.home].id));
    checkers_.reset_sent(node.port, flow);
    return close_flow(index);
  }
  Node& home = scene_.nodes[flow.home];
  const uint32_t bucket = bucket_of(flow.client, home.hash_seed);
  if (home.serves() && (home.owned[flow.slot][bucket / 64] >> bucket % 64 & 1) != 0)
    remember_visit(home, flow.slot, flow.client);
  const Nanos next = scene_.now + random_.between(kBetweenSegments / 4, kBetweenSegments);
  queue_.push({next, 0, index, EventKind::segment, 0, 0, flow.generation});
}

}  // namespace nlb::sim
