// SPDX-License-Identifier: Apache-2.0
// What machines go through: boot, death, standstill, snapshots; and what their daemons then miss.
#include <algorithm>

#include "sim/world.hh"

namespace nlb::sim {
namespace {

constexpr uint32_t kSubnet = 0x0a4d0000;

// What the daemon makes of a failed check: of the first rule (0, 1), of the host (2, 3); odd: serves as last.
void fail_checks(core::Settings& settings, int64_t how, std::size_t rules) {
  const bool as_last = how % 2 != 0, host = how >= 2;
  for (std::size_t slot = 0; slot < (host ? rules : 1); ++slot)
    settings.offers[slot] = as_last ? wire::offer_as_last(settings.offers[slot]) : wire::kOfferUnhealthy;
  if (host) settings.service = as_last ? core::Service::as_last : core::Service::out;
}

}  // namespace

core::Settings World::settings(Port port) {
  Node& node = scene_.nodes.at(port);
  core::Settings settings;
  settings.id = node.id;
  const auto seconds = static_cast<uint64_t>(scene_.now / kSecond);
  settings.incarnation = seconds << 32 | (random_.next() & 0xffffffff);
  settings.period_ms = scene_.period_ms;
  settings.tolerance = scene_.tolerance;
  settings.digests.mode = static_cast<uint8_t>(settings.mode);
  settings.digests.period_ms = static_cast<uint16_t>(scene_.period_ms);
  settings.digests.tolerance = static_cast<uint16_t>(scene_.tolerance);
  settings.rules = rules;
  settings.offers.fill(wire::kOfferEqual);
  for (std::size_t slot = 0; slot < rules.size(); ++slot)
    settings.offers[slot] =
        rules[slot].mode == FilteringMode::single ? std::min<uint8_t>(node.id, 64) : node.weight;
  if (node.unhealthy >= 0) fail_checks(settings, node.unhealthy, rules.size());
  settings.dedicated_ip = IpAddress::v4(kSubnet + 0x100u + port);
  settings.adapter_mac = node.mac;
  settings.gateway = gateway_;
  settings.max_hold_s = max_hold_s;
  settings.keeps = (older_ & bit_of(port)) == 0;
  constexpr uint32_t kOther = 99;
  if (node.changed_item == 0) settings.digests.rules = kOther;
  if (node.changed_item == 1) settings.digests.seed = kOther;
  if (node.changed_item == 2) settings.digests.vips = kOther;
  return settings;
}

Node& World::make_node(Port port, HostId id) {
  Node& node = scene_.nodes[port];
  if (node.port == 0) scene_.ports.insert(std::ranges::lower_bound(scene_.ports, port), port);
  node = Node{};
  node.id = id;
  node.port = port;
  node.namesake = port != id;
  node.mac = MacAddress{{0x52, 0x54, 0, 0, 0, port}};
  node.states.resize(kMaxSlots);
  node.owned.resize(kMaxSlots);
  node.written.resize(kMaxSlots);
  return node;
}

void World::add(HostId id, uint8_t weight) {
  scene_.slots = core::slots_in_use(rules.size());
  make_node(id, id).weight = weight;
  boot(id);
}

void World::boot(Port port) {
  Node& node = scene_.nodes.at(port);
  tell("host " + std::to_string(node.id) + " boots");
  node.kernel_alive = true;
  switch_.plug(port, node.id, node.mac);
  SlotStates closed;
  closed.fill(BucketState::foreign_checked);
  for (std::size_t slot : scene_.slots) write_slot(node, slot, closed);
  checkers_.states_changed(port);
  restart_daemon(port);
}

void World::restart_daemon(Port port) {
  Node& node = scene_.nodes.at(port);
  for (const Received& waiting : node.inbox) packets_.drop(waiting.packet);
  node.inbox.clear();
  ++node.generation;
  node.walks.clear();
  node.wake_at = 0;
  const Nanos local = node.clock.local(scene_.now);
  const core::Settings read = settings(port);
  node.hash_seed = read.digests.seed;
  ++node.visits.epoch;
  node.host = std::make_unique<core::Host>(read, local);
  if (node.host->resume(node.resume_point, node.lease, local)) {
    ++counters_.resumed;
    checkers_.daemon_lives(node.resume_point.incarnation);
  } else {
    node.lease = 0;  // a daemon that starts anew writes lease 0 before its first frame
    scene_.known.forget(port);
  }
  node.knew = 0;
  forget_remembered(port);
  write_states(node);
  perform(port, node.host->on_bind(true, "", local));
  if (node.no_carrier != 0) perform(port, node.host->on_carrier(false, local));
  perform(port, node.host->command(core::HostEvent::start, local));
  arm(node);
}

void World::stop_planned(Port port) {
  Node& node = scene_.nodes.at(port);
  perform(port, node.host->leave_for_restart(node.clock.local(scene_.now)));
  kill_daemon(port);
}

void World::kill_daemon(Port port) {
  Node& node = scene_.nodes.at(port);
  if (!node.host) return;
  lose_turn(node);
  checkers_.daemon_ended(node.host->settings().incarnation);
  bury(node.host->settings().incarnation);
  node.host.reset();
  ++node.generation;
  node.walks.clear();
}

void World::kill_host(Port port) {
  Node& node = scene_.nodes.at(port);
  kill_daemon(port);
  close_flows(port);
  node.kernel_alive = false;
  node.resume_point = {};
  node.lease = node.excused_until = 0;
  node.knew = node.remembers = 0;
  for (const Received& waiting : node.inbox) packets_.drop(waiting.packet);
  node.inbox.clear();
  for (std::size_t slot : scene_.slots) write_slot(node, slot, SlotStates{});
  checkers_.states_changed(port);
  port_goes_down(node);
  switch_.unplug(port);
}

void World::command(Port port, core::HostEvent event) {
  Node& node = scene_.nodes.at(port);
  if (node.daemon_runs()) perform(port, node.host->command(event, node.clock.local(scene_.now)));
}

// Called before the daemon stands still: whom does it know, and who will be expected to know of it?
void World::lose_turn(Node& node) {
  if (!node.daemon_runs()) return;
  node.knew = 0;
  for (const Port port : scene_.ports) {
    Node& other = scene_.nodes[port];
    if (port == node.port) continue;
    other.remembers &= ~bit_of(node.port);
    other.knew &= ~bit_of(node.port);  // it has run since: no more
    if (!other.daemon_runs() || !scene_.known.acquainted(node.port, other.port, scene_.now)) continue;
    node.knew |= bit_of(other.port);
    const bool clean = scene_.network.path(node.port, other.port).clean() &&
                       scene_.network.path(other.port, node.port).clean();
    const bool members = other.host->phase() != core::Phase::none && node.host->view() == other.host->view();
    if (clean && members) other.remembers |= bit_of(node.port);
  }
  node.remembers = 0;
}

// What came while it had no turn is judged before the timer is looked at.
void World::get_turn(Node& node) {
  if (!node.daemon_runs()) return;
  node.company_at = scene_.now;
  node.knew = 0;
  if (std::exchange(node.carrier_untold, false))
    perform(node.port, node.host->on_carrier(node.no_carrier == 0, node.clock.local(scene_.now)));
  auto inbox = std::move(node.inbox);
  node.inbox.clear();
  for (const Received& waiting : inbox) {
    if (node.daemon_runs()) judge(node, waiting.packet, waiting.from);
    packets_.drop(waiting.packet);
  }
  wake(node);
}

void World::stall(Port port) {
  Node& node = scene_.nodes.at(port);
  lose_turn(node);
  ++node.stalled;
}

void World::go_on(Port port) {
  Node& node = scene_.nodes.at(port);
  if (node.stalled > 0) --node.stalled;
  get_turn(node);
}

// A starved daemon: the processor is taken for a while, then given back for a while.
void World::take_turn(Node& node, bool taken) {
  if (node.starving_ms == 0 && taken) return;
  if (taken) lose_turn(node);
  node.turn_taken = taken;
  const Nanos longest = std::max<Nanos>(node.starving_ms, 1) * kMillisecond;
  const Nanos next = taken ? random_.between(kMillisecond, longest) : random_.between(0, 200 * kMillisecond);
  if (taken || node.starving_ms != 0)
    queue_.push({scene_.now + next, 0, taken ? 0u : 1u, EventKind::turn_taken, node.port, 0, 0});
  if (!taken) get_turn(node);
}

void World::stand_still(Node& node, bool with_clock) {
  lose_turn(node);
  if (node.paused++ == 0) node.stands_since = scene_.now;
  if (with_clock && node.clock_stopped++ == 0) node.clock.stop(scene_.now);
}

void World::continue_machine(Node& node, bool with_clock) {
  if (with_clock && --node.clock_stopped == 0) node.clock.go_on(scene_.now);
  if (--node.paused > 0) return;
  if (scene_.now - node.stands_since >= scene_.silence_limit()) node.resumed_at = scene_.now;
  if (node.clock_stopped == 0 && node.kernel_alive) {
    node.resumed_local = node.clock.local(scene_.now);
    node.excused_until = with_clock ? node.lease : 0;
    if (with_clock) node.clock_shifted_at = scene_.now;
  }
  get_turn(node);
}

void World::forget_remembered(Port port) {
  scene_.nodes[port].remembers = 0;
  for (Node& other : scene_.nodes) {
    other.remembers &= ~bit_of(port);
    other.knew &= ~bit_of(port);
  }
}

void World::take_snapshot(Node& node) {
  if (!node.daemon_runs() || node.snapshot) return;
  node.snapshot =
      std::make_unique<Snapshot>(Snapshot{*node.host, node.states, node.lease, node.clock.local(scene_.now)});
}

// Memory, kernel and clock are those of then. What was connected since is gone.
void World::restore_snapshot(Node& node) {
  const auto snapshot = std::move(node.snapshot);
  if (!snapshot || !node.kernel_alive || node.paused != 0) return;
  kill_daemon(node.port);
  close_flows(node.port);
  for (const Received& waiting : node.inbox) packets_.drop(waiting.packet);
  node.inbox.clear();
  node.clock.set(snapshot->local, scene_.now);
  node.host = std::make_unique<core::Host>(snapshot->host);
  node.hash_seed = node.host->settings().digests.seed;
  ++node.visits.epoch;
  node.clock_shifted_at = scene_.now;
  checkers_.daemon_lives(snapshot->host.settings().incarnation);
  node.lease = snapshot->lease;
  node.wake_at = 0;
  scene_.known.forget(node.port);
  forget_remembered(node.port);
  node.knew = 0;
  node.resumed_local = snapshot->local;
  node.excused_until = node.lease;
  for (std::size_t slot : scene_.slots) write_slot(node, slot, snapshot->states[slot]);
  checkers_.states_changed(node.port);
  node.carrier_untold = true;  // the device of a machine that is set back has the link that there is
  get_turn(node);
}

}  // namespace nlb::sim
