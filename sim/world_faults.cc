// SPDX-License-Identifier: Apache-2.0
// Faults in action: how each kind begins and ends.
#include <bit>

#include "sim/world.hh"

namespace nlb::sim {
namespace {

constexpr std::size_t kRecordedFrames = 512, kBuriedFrames = 128, kBuriedOfADaemon = 8;
constexpr Nanos kBetweenIntrusions = 8 * kMillisecond;  // at most

bool is_of_paths(FaultKind kind) {
  switch (kind) {
    case FaultKind::loss:
    case FaultKind::burst:
    case FaultKind::delay:
    case FaultKind::late:
    case FaultKind::reorder:
    case FaultKind::duplicate:
    case FaultKind::corrupt:
    case FaultKind::split:
    case FaultKind::one_way:
    case FaultKind::bad_pair:
    case FaultKind::clog:
      return true;
    default:
      return false;
  }
}

}  // namespace

void World::plan(const FaultPlan& faults) {
  for (const Fault& fault : faults) {
    const auto index = static_cast<uint32_t>(faults_.size());
    faults_.push_back(fault);
    ends_.push_back(scene_.now + fault.at + fault.duration);
    queue_.push({scene_.now + fault.at, 0, index, EventKind::fault_begins, 0, 0, 0});
    queue_.push({scene_.now + fault.at + fault.duration, 0, index, EventKind::fault_ends, 0, 0, 0});
  }
}

void World::begin(uint32_t index) {
  const Fault fault = faults_[index];
  tell("FAULT " + fault.text() + " begins: " + std::string(text_of(fault.kind)));
  if (is_of_paths(fault.kind)) return begin_path_fault(fault);
  if (fault.kind == FaultKind::forge || fault.kind == FaultKind::replay) return intrude(index);
  for_each_host(fault.a, [&](HostId id) {
    if (scene_.nodes[id].port != 0) begin_at(fault, scene_.nodes[id]);
  });
}

void World::end(const Fault& fault) {
  tell("FAULT " + fault.text() + " ends");
  if (is_of_paths(fault.kind)) {
    scene_.network.apply(fault, -1);
    if (fault.kind == FaultKind::clog) release_clogged();
    return;
  }
  for_each_host(fault.a, [&](HostId id) {
    if (scene_.nodes[id].port != 0) end_at(fault, scene_.nodes[id]);
  });
}

// Who is cut from each other need not mind each other, from now on; and a question to a kernel may get lost
// on any path that is not whole.
void World::begin_path_fault(const Fault& fault) {
  scene_.network.apply(fault, 1);
  for_each_host(fault.a | fault.b, [&](Port x) {
    for_each_host((fault.a | fault.b) & ~bit_of(x), [&](Port y) {
      if (scene_.network.path(x, y).clean()) return;
      for (const auto& [one, other] : {std::pair{x, y}, std::pair{y, x}}) {
        scene_.nodes[one].remembers &= ~bit_of(other);
        if (!scene_.network.cut(x, y)) continue;
        scene_.nodes[one].knew &= ~bit_of(other);
      }
      if (scene_.network.path(x, y).cut != 0) scene_.known.cut(y, x);
    });
  });
}

void World::release_clogged() {
  auto waiting = std::move(clogged_);
  clogged_.clear();
  for (Event& event : waiting) {
    if (scene_.network.path(event.from, event.port).clogged != 0) {
      clogged_.push_back(event);
      continue;
    }
    event.at = scene_.now + random_.between(0, kMillisecond);
    queue_.push(event);
  }
}

void World::set_link(Port port, bool up) {
  Node& node = scene_.nodes[port];
  node.no_carrier += up ? -1 : 1;
  if (up && node.no_carrier != 0) return;
  if (!up) {
    forget_remembered(port);
    port_goes_down(node);
  }
  node.carrier_untold = !node.daemon_runs();
  if (!node.carrier_untold) perform(port, node.host->on_carrier(up, node.clock.local(scene_.now)));
  if (up) port_comes_up(node);
}

void World::begin_at(const Fault& fault, Node& node) {
  const Port port = node.port;
  switch (fault.kind) {
    case FaultKind::sender_loss:
      for (Port to = 1; to <= kMaxHosts; ++to) scene_.network.path(port, to).loss += fault.value;
      return forget_remembered(port);
    case FaultKind::isolate:
      ++node.isolated;
      return forget_remembered(port);
    case FaultKind::link_down:
      return set_link(port, false);
    case FaultKind::deaf:
      ++node.deaf;
      return;
    case FaultKind::no_gateway:
      ++node.no_gateway;
      return;
    case FaultKind::power:
      if (node.off++ == 0) kill_host(port);
      return;
    case FaultKind::restart:
    case FaultKind::upgrade:
    case FaultKind::crash:
      if (fault.kind != FaultKind::crash && node.daemon_runs()) stop_planned(port);
      ++node.down;
      return kill_daemon(port);
    case FaultKind::stall:
      return stall(port);
    case FaultKind::starve:
      if (node.starving_ms == 0) queue_.push({scene_.now, 0, 1, EventKind::turn_taken, port, 0, 0});
      node.starving_ms += fault.value;
      return;
    case FaultKind::pause:
    case FaultKind::freeze:
      return stand_still(node, fault.kind == FaultKind::freeze);
    case FaultKind::snapshot:
      return take_snapshot(node);
    case FaultKind::drift:
      return node.clock.run_at(fault.value, scene_.now);
    case FaultKind::drain:
      return command(port, core::HostEvent::drainstop);
    case FaultKind::stop:
      return command(port, core::HostEvent::stop);
    case FaultKind::weight:
      return offer(node, static_cast<uint8_t>(fault.value));
    case FaultKind::unhealthy:
      node.unhealthy = fault.value;
      return offer(node, node.weight);
    case FaultKind::config:
      return reconfigure(node, fault.value);
    case FaultKind::duplicate_id:
      return add_namesake(node.id);
    case FaultKind::slow_scan:
      node.slow_scan_ms += fault.value;
      return;
    default:
      return begin_fence_fault(fault, node);
  }
}

void World::end_at(const Fault& fault, Node& node) {
  const Port port = node.port;
  switch (fault.kind) {
    case FaultKind::sender_loss:
      for (Port to = 1; to <= kMaxHosts; ++to) scene_.network.path(port, to).loss -= fault.value;
      return;
    case FaultKind::isolate:
      --node.isolated;
      return;
    case FaultKind::link_down:
      return set_link(port, true);
    case FaultKind::deaf:
      --node.deaf;
      return;
    case FaultKind::no_gateway:
      --node.no_gateway;
      return;
    case FaultKind::power:
      if (--node.off == 0) boot(port);
      return;
    case FaultKind::restart:
    case FaultKind::upgrade:
    case FaultKind::crash:
      if (fault.kind == FaultKind::upgrade) node.next_minor = !node.next_minor;
      if (--node.down == 0 && node.kernel_alive && !node.host) restart_daemon(port);
      return;
    case FaultKind::stall:
      return go_on(port);
    case FaultKind::starve:
      node.starving_ms -= fault.value;
      if (node.starving_ms == 0 && node.turn_taken) take_turn(node, false);
      return;
    case FaultKind::pause:
    case FaultKind::freeze:
      return continue_machine(node, fault.kind == FaultKind::freeze);
    case FaultKind::snapshot:
      return restore_snapshot(node);
    case FaultKind::drift:
      return node.clock.run_at(Clock::kTrueRate, scene_.now);
    case FaultKind::drain:
    case FaultKind::stop:
      return command(port, core::HostEvent::start);
    case FaultKind::weight:
      return offer(node, wire::kOfferEqual);
    case FaultKind::unhealthy:
      node.unhealthy = -1;
      return offer(node, node.weight);
    case FaultKind::config:
      return reconfigure(node, -1);
    case FaultKind::duplicate_id:
      return remove_namesake(node.id);
    case FaultKind::slow_scan:
      node.slow_scan_ms -= fault.value;
      return;
    default:
      return end_fence_fault(fault, node);
  }
}

void World::offer(Node& node, uint8_t weight) {
  node.weight = weight;
  if (!node.daemon_runs()) return;
  const auto now = settings(node.port);
  perform(node.port, node.host->on_offers(now.offers, now.service, node.clock.local(scene_.now)));
}

// change: which part of the configuration differs from the others'; -1 = none. A daemon that does not run
// reads it when it starts.
void World::reconfigure(Node& node, int64_t change) {
  node.changed_item = change;
  if (!node.daemon_runs()) return;
  const core::Settings settings = this->settings(node.port);
  node.hash_seed = settings.digests.seed;
  ++node.visits.epoch;
  perform(node.port, node.host->reconfigure(settings, node.clock.local(scene_.now)));
  write_states(node);
  checkers_.states_changed(node.port);
}

void World::add_namesake(HostId id) {
  for (Port port = 1; port <= kMaxHosts; ++port)
    if (scene_.nodes[port].namesake && scene_.nodes[port].id == id && scene_.nodes[port].kernel_alive) return;
  for (Port port = kMaxHosts; port > 0; --port) {
    if (scene_.nodes[port].port != 0 && scene_.nodes[port].kernel_alive) continue;
    if (scene_.nodes[port].port != 0 && !scene_.nodes[port].namesake) continue;
    make_node(port, id);
    return boot(port);
  }
}

void World::remove_namesake(HostId id) {
  for (Node& node : scene_.nodes)
    if (node.namesake && node.id == id && node.kernel_alive) return kill_host(node.port);
}

void World::record(const Packet& packet) {
  if (recorded_.size() < kRecordedFrames) return recorded_.push_back(packet);
  recorded_[next_record_++ % kRecordedFrames] = packet;
}

// Of a daemon that has ended some recorded frames are kept for long: to be replayed to its successor's peers.
void World::bury(uint64_t incarnation) {
  std::size_t buried = 0;
  for (const Packet& packet : recorded_) {
    const auto* heartbeat = std::get_if<wire::Heartbeat>(&packet.frame);
    if (heartbeat == nullptr || heartbeat->header.incarnation != incarnation) continue;
    if (++buried > kBuriedOfADaemon) return;
    if (buried_.size() < kBuriedFrames)
      buried_.push_back(packet);
    else
      buried_[next_buried_++ % kBuriedFrames] = packet;
  }
}

// A stranger on the segment. What it makes up has to be refused by the codec; what it has recorded is well
// formed and signed, so the core has to tell that it is old. Where it pretends to be a member, or the
// cluster, the guard of its port refuses the frame.
void World::intrude(uint32_t index) {
  forge_notice(faults_[index].kind == FaultKind::replay);
  if (recorded_.empty()) return;
  const bool from_the_dead =
      faults_[index].kind == FaultKind::replay && !buried_.empty() && random_.below(2) != 0;
  const auto& source = from_the_dead ? buried_ : recorded_;
  Packet packet = source[random_.below(static_cast<uint32_t>(source.size()))];
  packet.authentic = false;
  constexpr MacAddress kStranger{{0x52, 0x54, 0, 0, 9, 9}};
  const bool pretends = random_.below(8) == 0;
  packet.source = !pretends ? kStranger : random_.below(2) != 0 ? switch_.macs().unicast : packet.source;
  if (!pretends) {
    ++counters_.forged;
    bool sound = true;
    if (faults_[index].kind == FaultKind::forge) {
      packet.bytes = wire_.forge(packet.bytes, random_);
      sound = wire_.decode(packet.bytes, false).has_value();
      if (sound) checkers_.violate("wire", "a forged frame passes");
    }
    if (sound) {
      const uint32_t kept = packets_.keep(std::move(packet));
      transmit(0, kept);
      packets_.drop(kept);
    }
  } else if (!switch_.refusal(0, packet.source)) {
    checkers_.violate("guarded-port", "a stranger sends from " + packet.source.text());
  }
  const Nanos next = scene_.now + random_.between(0, kBetweenIntrusions);
  if (next < ends_[index]) queue_.push({next, 0, index, EventKind::intrusion, 0, 0, 0});
}

void World::filter(Port from, Port to) {
  scene_.network.path(from, to).filtered = true;
  scene_.known.cut(to, from);
}

void World::cut(Port from, Port to) {
  scene_.network.path(from, to).cut++;
  scene_.known.cut(to, from);
  for (const auto& [one, other] : {std::pair{from, to}, std::pair{to, from}}) {
    if (other == 0) continue;
    scene_.nodes[one].remembers &= ~bit_of(other);
    scene_.nodes[one].knew &= ~bit_of(other);
  }
}

void World::cut_both(Port a, Port b) {
  cut(a, b);
  cut(b, a);
}

void World::heal() {
  scene_.network.heal();
}

void World::add_gateway() {
  gateway_ = IpAddress::v4(0x0a4d0001);
}

void World::set_loss(double probability) {
  scene_.network.set_loss(static_cast<int64_t>(probability * 1'000'000));
  for (Node& node : scene_.nodes) node.remembers = 0;
}

// Every fault has ended; what it could not mend, because the daemon had no turn just then, is mended here.
void World::mend() {
  for (Port port = 1; port <= kMaxHosts; ++port) {
    Node& node = scene_.nodes[port];
    if (node.port == 0) continue;
    if (node.namesake) {
      if (node.kernel_alive) kill_host(port);
      continue;
    }
    node.snapshot.reset();
    if (!node.kernel_alive) boot(port);
    if (!node.host) restart_daemon(port);
    if (node.stalled != 0) go_on(port);
    node.unhealthy = -1;
    offer(node, wire::kOfferEqual);
    const auto& digests = node.host->settings().digests;
    if (digests.rules != 0 || digests.seed != 0 || digests.vips != 0) reconfigure(node, -1);
    command(port, core::HostEvent::resume);
    command(port, core::HostEvent::start);
  }
}

}  // namespace nlb::sim
