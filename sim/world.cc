// SPDX-License-Identifier: Apache-2.0
#include "sim/world.hh"

#include <bit>

namespace nlb::sim {
namespace {

constexpr std::size_t kInboxFrames = 4096;  // the receive ring
constexpr uint32_t kEachThroughTheCodec = 8;

uint64_t pair_of(uint64_t high, uint64_t low) {
  return high << 32 | low;
}

}  // namespace

World::World(uint64_t seed, uint32_t period_ms, uint32_t tolerance)
    : scene_(period_ms, tolerance), checkers_(scene_), switch_(IpAddress::v4(0x0a4d0064)), random_(seed) {
  scene_.nodes.resize(kMaxHosts + 1);
}

void World::run_until(Nanos end) {
  while (queue_.due(end)) {
    const Event event = queue_.pop();
    scene_.now = event.at;
    happen(event);
    checkers_.each_step();
  }
  scene_.now = end;
  checkers_.each_step();
}

void World::happen(const Event& event) {
  Node& node = scene_.nodes[event.port];
  switch (event.kind) {
    case EventKind::delivery:
      return deliver(event);
    case EventKind::wake:
      if (event.at == node.wake_at && event.generation == node.generation) wake(node);
      return;
    case EventKind::turn_taken:
      return take_turn(node, event.subject != 0);
    case EventKind::scanned:
      if (event.generation == node.generation) take_scan(node, event.subject);
      return;
    case EventKind::answered:
      if (event.generation != node.generation || !node.daemon_runs()) return;
      if (IpAddress::v4(event.subject) == gateway_) node.company_at = scene_.now;
      return perform(event.port,
                     node.host->on_kernel_answer(IpAddress::v4(event.subject), node.clock.local(scene_.now)));
    case EventKind::fault_begins:
      return begin(event.subject);
    case EventKind::fault_ends:
      return end(faults_[event.subject]);
    case EventKind::intrusion:
      return intrude(event.subject);
    case EventKind::connect:
      return client_comes();
    case EventKind::visit:
      return visit(event.subject);
    case EventKind::notice:
      return take_notice(event);
    case EventKind::fence_ends:
      return end_fence(node, event.subject);
    case EventKind::port_ends:
      return port_goes_down(node);
    case EventKind::segment:
      if (scene_.flows[event.subject].generation == event.generation) send_segment(event.subject);
      return;
  }
}

void World::deliver(const Event& event) {
  Node& node = scene_.nodes[event.port];
  const uint32_t index = event.subject;
  const bool to_cluster_mac = packets_.at(index).destination == switch_.macs().unicast;
  const bool arrives =
      node.host && node.kernel_alive && node.connected() && !(to_cluster_mac && node.deaf != 0);
  if (!arrives) return packets_.drop(index);
  if (!node.daemon_runs()) {
    if (node.inbox.size() >= kInboxFrames) return packets_.drop(index);
    node.inbox.push_back({index, event.from});
    return;
  }
  judge(node, index, event.from);
  packets_.drop(index);
}

void World::judge(Node& node, uint32_t index, Port from) {
  const Packet& packet = packets_.at(index);
  ++counters_.deliveries;
  const bool heartbeat = std::holds_alternative<wire::Heartbeat>(packet.frame);
  const wire::Header header = wire::header_of(packet.frame);
  if (packet.authentic && heartbeat) {
    const Node& sender = scene_.nodes[from];
    const bool ended = sender.host && sender.host->settings().incarnation != header.incarnation;
    if (ended)
      scene_.known.hear_predecessor(node.port, from, scene_.now);
    else
      scene_.known.hear(node.port, from, packet.sent_at, scene_.now);
  }
  if (packet.authentic) node.company_at = scene_.now;
  checkers_.frame_judged(node, header);
  const core::Peer& peer = node.host->peers()[header.sender];
  const bool known = peer.believed && peer.incarnation == header.incarnation;
  const uint64_t newest = peer.sequence;
  scene_.trace.mark(pair_of(node.port, header.sender),
                    static_cast<uint64_t>(scene_.now) ^ header.sequence << 40);
  core::Actions actions = node.host->on_frame(packet.frame, node.clock.local(scene_.now));
  if (peer.believed && peer.incarnation == header.incarnation) {
    if (!known) checkers_.believed(node, header);
    if (known && peer.sequence < newest)
      checkers_.violate("replay", "host " + std::to_string(node.id) + " takes an old frame of host " +
                                      std::to_string(header.sender));
  }
  perform(node.port, std::move(actions));
}

// Whatever wakes a daemon, frames that are queued are judged first; then the timer, if it is due.
void World::wake(Node& node) {
  node.wake_at = 0;
  if (!node.daemon_runs()) return;
  const Nanos local = node.clock.local(scene_.now);
  if (local >= node.host->next_wakeup()) perform(node.port, node.host->on_tick(local));
  arm(node);
}

void World::arm(Node& node) {
  if (!node.daemon_runs()) return;
  if (node.wake_at == 0) node.clock.rebase(scene_.now);
  const Nanos at = std::max(node.clock.world_at(node.host->next_wakeup()), scene_.now);
  if (node.wake_at != 0 && node.wake_at <= at) return;
  node.wake_at = at;
  queue_.push({at, 0, 0, EventKind::wake, node.port, 0, node.generation});
}

// The order is nlbd's: states and lease are in the kernel before anything is said or looked at.
void World::perform(Port port, core::Actions actions) {
  Node& node = scene_.nodes[port];
  for (const auto& notice : actions.notices) {
    if (notice.kind == core::Notice::Kind::view_changed) checkers_.view_begun(port);
    counters_.evictions += notice.kind == core::Notice::Kind::peer_evicted;
    counters_.fenced_believed += notice.kind == core::Notice::Kind::peer_fenced;
    counters_.views += notice.kind == core::Notice::Kind::converged;
    if (on_notice) on_notice(node.id, notice);
    const std::string whom = notice.peer != 0 ? "[" + std::to_string(notice.peer) + "] " : "";
    tell("host " + std::to_string(node.id) + (node.namesake ? "'" : "") + ": " + whom + notice.text);
  }
  if (node.host && node.host->resume_mark() != node.resume_point.mark)
    node.resume_point = node.host->resume_point();
  if (actions.states_changed) write_states(node);
  if (actions.lease) {
    node.lease = *actions.lease;
    if (node.lease != 0) checkers_.lease_written(node);
    scene_.trace.mark(pair_of(port, 0x1ea5e), static_cast<uint64_t>(node.lease));
  }
  for (const auto& message : actions.sends) send(node, message);
  for (const auto& asked : actions.probes) probe(node, asked);
  if (actions.scan) {
    const Nanos longest = node.slow_scan_ms != 0 ? node.slow_scan_ms * kMillisecond : 2 * kMillisecond;
    const Nanos at = scene_.now + random_.between(0, longest);
    node.walks.push_back(walk_sockets(node, *actions.scan));
    queue_.push({at, 0, *actions.scan, EventKind::scanned, port, 0, node.generation});
  }
  if (!node.host) return;
  if (actions.visits) answer_visits(node);
  if (!node.host) return;
  const auto state = node.host->state();
  const bool out = state == core::HostState::stopped || state == core::HostState::suspended;
  if (out && !node.filter_closed) {  // `nlb stop`, or the end of a drain
    node.filter_closed = true;
    close_flows(port);
    checkers_.states_changed(port);
  } else if (!out && node.filter_closed) {
    node.filter_closed = false;
    checkers_.states_changed(port);
  }
  note_standing(node);
  if (!actions.notices.empty() || !actions.sends.empty()) arm(node);
}

void World::write_states(Node& node) {
  bool changed = false;
  for (std::size_t slot : node.host->ownership().slots()) {
    const core::FilterSets sets = node.host->filter_sets(slot);
    if (node.written[slot] == sets) continue;
    const SlotStates states = core::states_of(sets);
    if (states != node.states[slot]) {
      write_slot(node, slot, states);
      changed = true;
    }
    node.written[slot] = sets;
  }
  if (changed) checkers_.states_changed(node.port);
  write_kept(node);
}

void World::write_slot(Node& node, std::size_t slot, const SlotStates& states) {
  node.states[slot] = states;
  node.written[slot].reset();
  auto& owned = node.owned[slot];
  uint64_t digest = slot;
  for (std::size_t word = 0; word < owned.size(); ++word) {
    uint64_t bits = 0;
    for (std::size_t bit = 0; bit < 64; ++bit)
      bits |= (static_cast<uint64_t>(states[word * 64 + bit]) & 1) << bit;
    owned[word] = bits;
    digest = mix(digest ^ bits);
  }
  scene_.trace.mark(pair_of(node.port, slot), digest);
}

Walk World::walk_sockets(const Node& node, uint32_t token) const {
  Walk walk{token, node.flows.size(), core::SlotBuckets(kMaxSlots)};
  for (const uint32_t index : node.flows) {
    const Flow& flow = scene_.flows[index];
    walk.live[flow.slot].set(bucket_of(flow.client, node.hash_seed));
  }
  return walk;
}

void World::take_scan(Node& node, uint32_t token) {
  if (!node.daemon_runs()) {  // the scanner's result waits for the daemon
    if (node.host && node.kernel_alive)
      queue_.push({scene_.now + kMillisecond, 0, token, EventKind::scanned, node.port, 0, node.generation});
    return;
  }
  const auto found = std::find_if(node.walks.begin(), node.walks.end(),
                                  [&](const Walk& walk) { return walk.token == token; });
  if (found == node.walks.end()) return;
  const Walk walk = std::move(*found);
  node.walks.erase(found);
  for (const uint32_t index : node.flows) {
    const Flow& flow = scene_.flows[index];
    const uint32_t bucket = bucket_of(flow.client, node.hash_seed);
    if (node.owned[flow.slot][bucket / 64] >> bucket % 64 & 1) remember_visit(node, flow.slot, flow.client);
  }
  perform(node.port, node.host->on_scan(token, walk.live, walk.connections, node.clock.local(scene_.now)));
}

void World::count_sent(Node& from) {
  if (const Nanos second = scene_.now / kSecond; second != from.counted_second) {
    from.counted_second = second;
    from.sent_in_it = 0;
  }
  counters_.busiest_second = std::max(counters_.busiest_second, ++from.sent_in_it);
}

void World::send(Node& from, const core::Send& message) {
  count_sent(from);
  checkers_.frame_numbered(wire::header_of(message.frame), from.clock.local(scene_.now));
  Packet packet;
  packet.source = from.mac;
  packet.destination = message.to == core::Send::To::group         ? switch_.macs().heartbeat_group
                       : message.to == core::Send::To::cluster_mac ? switch_.macs().unicast
                                                                   : message.mac;
  packet.frame = message.frame;
  if (core::planted(core::Bug::from_cluster_mac) || core::planted(core::Bug::guard_asleep))
    packet.source = switch_.macs().unicast;
  packet.sent_at = scene_.now;
  const auto refusal = switch_.refusal(from.port, packet.source);
  if (refusal) checkers_.violate("guarded-port", *refusal);
  checkers_.frame_sent(from.port, packet.source, switch_.knows(switch_.macs().unicast));
  if (refusal) return;
  speak_to_switch(from);
  if (!from.connected()) return;
  if (random_.chance(static_cast<uint32_t>(scene_.network.sender_loss()))) return;
  if (!from.away) from.plug.heard_at = scene_.now;
  if (counters_.frames++ % kEachThroughTheCodec == 0) {
    const std::string wrong =
        wire_.round_trip(packet.frame, from.next_minor, random_.below(2) != 0, packet.bytes);
    if (!wrong.empty()) checkers_.violate("wire", wrong);
    record(packet);
  }
  const uint32_t index = packets_.keep(std::move(packet));
  transmit(from.port, index);
  packets_.drop(index);
}

void World::transmit(Port from, uint32_t index) {
  for_each_host(switch_.ports_for(from, packets_.at(index).destination), [&](Port to) {
    if (scene_.network.path(from, to).filtered) return;
    const Passage passage = scene_.network.pass(from, to, scene_.now, random_);
    if (passage.copies != 0) carry(from, to, index, passage);
  });
}

// A damaged frame is read from its bytes: what the codec still takes for a frame goes on.
void World::carry(Port from, Port to, uint32_t index, const Passage& passage) {
  uint32_t carried = index;
  if (passage.damaged) {
    Packet damaged = packets_.at(index);
    damaged.bytes = wire_.encode(damaged.frame, scene_.nodes[from].next_minor);
    auto& octet = damaged.bytes[random_.below(static_cast<uint32_t>(damaged.bytes.size()))];
    octet = static_cast<uint8_t>(octet ^ 1u << random_.below(8));
    auto read = wire_.decode(damaged.bytes, scene_.nodes[to].next_minor);
    if (!read) {
      ++counters_.refused;
      return;
    }
    damaged.frame = std::move(*read);
    carried = packets_.keep(std::move(damaged));
  }
  for (int copy = 0; copy < passage.copies; ++copy) {
    packets_.hold(carried);
    Nanos at = scene_.now + passage.delay[static_cast<std::size_t>(copy)];
    Path& path = scene_.network.path(from, to);
    if (!passage.overtakes && copy == 0) at = path.last_arrival = std::max(at, path.last_arrival + 1);
    const Event event{at, 0, carried, EventKind::delivery, to, from, 0};
    passage.waits ? clogged_.push_back(event) : queue_.push(event);
  }
  if (carried != index) packets_.drop(carried);
}

bool World::answers(const Node& node, const core::KernelProbe& asked) {
  if (!node.connected()) return false;
  if (asked.peer == 0) return node.no_gateway == 0 && !scene_.network.cut(node.port, 0);
  for (const Node& peer : scene_.nodes) {
    if (peer.port == 0 || !(peer.mac == asked.mac)) continue;
    const bool reachable = peer.kernel_runs() && peer.connected();
    return reachable && scene_.network.pass(node.port, peer.port, scene_.now, random_).copies != 0 &&
           scene_.network.pass(peer.port, node.port, scene_.now, random_).copies != 0;
  }
  return false;
}

void World::probe(Node& node, const core::KernelProbe& asked) {
  if (!answers(node, asked)) return;
  const Nanos at = scene_.now + random_.between(kMillisecond / 10, 2 * kMillisecond);
  queue_.push({at, 0, asked.address.v4_host_order(), EventKind::answered, node.port, 0, node.generation});
}

std::vector<Port> World::acceptors(std::size_t slot, uint32_t bucket) const {
  std::vector<Port> who;
  for (const Node& node : scene_.nodes)
    if (node.port != 0 && node.accepts(slot, bucket, scene_.now)) who.push_back(node.port);
  return who;
}

bool World::converged(const std::set<HostId>& members) const {
  HostSet set = 0;
  for (HostId id : members) set |= bit_of(id);
  const core::View* common = nullptr;
  for (HostId id : members) {
    const auto& host = scene_.nodes[id].host;
    if (!host || host->phase() != core::Phase::acquired || host->view().members != set) return false;
    if (common != nullptr && !(*common == host->view())) return false;
    common = &host->view();
  }
  return true;
}

bool World::run_until_converged(const std::set<HostId>& members, Nanos limit) {
  for (const Nanos end = scene_.now + limit; scene_.now < end; run_for(kMillisecond))
    if (converged(members)) return true;
  return converged(members);
}

}  // namespace nlb::sim
