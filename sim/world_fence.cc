// SPDX-License-Identifier: Apache-2.0
// The switch in front of the hosts, as far as it fences: hosts tell it that they are there; when the port of
// one goes down it is closed for good, then the others are told. docs/decisions/0018. Chance has a generator
// of its own here, so that a world without fences is what it was.
#include "sim/world.hh"

namespace nlb::sim {
namespace {

constexpr Nanos kSpeaksEach = kSecond / 2;
constexpr Nanos kBelievedFor = 3 * kSecond;   // what a host has said of itself; the least that a fence lasts
constexpr Nanos kNoticed = 3 * kMillisecond;  // at most, from the port's end to the notice
constexpr std::size_t kNoticesKept = 64;      // for those who send again what they have heard

}  // namespace

void World::use_fences(uint64_t seed) {
  fences_ = true;
  fence_random_ = Random(seed);
}

// To the switch and no further; it gets through a fence. A number that nobody else knows goes with it.
void World::speak_to_switch(Node& node) {
  Plug& plug = node.plug;
  if (!fences_ || node.namesake || node.away || !node.daemon_runs()) return;
  if (node.no_carrier != 0 || plug.down != 0 || node.isolated != 0) return;
  const uint64_t incarnation = node.host->settings().incarnation;
  if (incarnation == plug.incarnation && scene_.now - plug.spoke_to_switch_at < kSpeaksEach) return;
  plug.nonce = fence_random_.next();
  plug.incarnation = incarnation;
  plug.spoke_to_switch_at = scene_.now;
  node.host->say_to_switch(plug.nonce, node.clock.local(scene_.now));
  if (!plug.fenced) return;
  if (incarnation == plug.fenced_incarnation) return tell_of_fence(node, node);
  const Nanos at = scene_.now + fence_random_.between(0, kNoticed);
  queue_.push({at, 0, plug.fence, EventKind::fence_ends, node.port, 0, 0});
}

// Who has been silent at its port before that went down may have gone on elsewhere: a machine that moves
// stands still first. For it nothing is said.
void World::port_goes_down(Node& node) {
  Plug& plug = node.plug;
  if (!fences_ || node.namesake || plug.incarnation == 0) return;
  const bool moved = node.away;  // its port here ends, and nobody tells the switch why
  const bool spoke = !moved && scene_.now - plug.heard_at <= 2 * scene_.period();
  if (!spoke && !(moved && core::planted(core::Bug::fence_of_moved))) return;
  ++counters_.fences;
  ++plug.fence;
  plug.fenced_incarnation = plug.incarnation;
  if (!core::planted(core::Bug::fence_not_put) && !moved) {
    plug.fenced = true;
    const Nanos longest = std::max(kBelievedFor, scene_.silence_limit());
    queue_.push({scene_.now + longest, 0, plug.fence, EventKind::fence_ends, node.port, 0, 0});
  }
  tell("the switch fences host " + std::to_string(node.id));
  for (const Port port : scene_.ports)
    if (port != node.port) tell_of_fence(scene_.nodes[port], node);
}

void World::port_comes_up(Node& node) {
  if (node.plug.fenced) tell_of_fence(node, node);
}

void World::tell_of_fence(Node& whom, const Node& fenced) {
  const Plug& plug = whom.plug;
  if (whom.namesake || whom.away || plug.incarnation == 0) return;
  if (scene_.now - plug.spoke_to_switch_at >= kBelievedFor) return;
  deliver_notice(whom.port, {fenced.id, fenced.plug.fenced_incarnation, plug.nonce});
}

void World::deliver_notice(Port port, const core::FenceNotice& notice) {
  const Node& node = scene_.nodes[port];
  const auto index = static_cast<uint32_t>(next_notice_++ % kNoticesKept);
  notices_.resize(std::max<std::size_t>(notices_.size(), index + 1));
  notices_[index] = notice;
  if (node.notices_lost != 0) return;
  const Nanos at =
      scene_.now + fence_random_.between(kMillisecond / 10, kNoticed) + node.notices_late_ms * kMillisecond;
  queue_.push({at, 0, index, EventKind::notice, port, 0, 0});
  if (node.notices_twice != 0)
    queue_.push({at + fence_random_.between(0, 3 * kSecond), 0, index, EventKind::notice, port, 0, 0});
}

// It waits for a daemon that has no turn.
void World::take_notice(const Event& event) {
  Node& node = scene_.nodes[event.port];
  if (!node.host || !node.kernel_alive) return;
  if (!node.daemon_runs())
    return queue_.push(
        {scene_.now + kMillisecond, 0, event.subject, EventKind::notice, event.port, 0, event.generation});
  if (node.no_carrier != 0 || node.plug.down != 0) return;
  const uint64_t before = node.host->settings().incarnation;
  const uint64_t next = static_cast<uint64_t>(scene_.now / kSecond) << 32 | (fence_random_.next() >> 32);
  auto actions = node.host->on_fence(notices_[event.subject], next, node.clock.local(scene_.now));
  if (node.host->settings().incarnation != before) {
    checkers_.daemon_ended(before);
    bury(before);
    scene_.known.forget(node.port);
    forget_remembered(node.port);
    node.knew = 0;
  }
  perform(node.port, std::move(actions));
}

void World::end_fence(Node& node, uint32_t fence) {
  if (node.plug.fence != fence || !node.plug.fenced) return;
  node.plug.fenced = false;
  tell("the fence of host " + std::to_string(node.id) + " ends");
}

// A machine that moves stands still, goes on elsewhere, and then its former port ends: whoever moves it first
// hears that it has arrived.
void World::move_away(Node& node) {
  stand_still(node, false);
  if (node.moving++ != 0) return;
  node.was_away = std::exchange(node.away, true);
  if (node.was_away) return;
  const Nanos at = scene_.now + 2 * scene_.period() + fence_random_.between(kMillisecond, kSecond / 4);
  queue_.push({at, 0, 0, EventKind::port_ends, node.port, 0, 0});
}

void World::arrive(Node& node) {
  if (--node.moving == 0 && node.was_away) node.away = false;
  continue_machine(node, false);
}

void World::begin_fence_fault(const Fault& fault, Node& node) {
  switch (fault.kind) {
    case FaultKind::port_down:
      ++node.plug.down;
      forget_remembered(node.port);
      return port_goes_down(node);
    case FaultKind::migrate:
      return move_away(node);
    case FaultKind::notice_lost:
      ++node.notices_lost;
      return;
    case FaultKind::notice_late:
      node.notices_late_ms += fault.value;
      return;
    case FaultKind::notice_twice:
      ++node.notices_twice;
      return;
    default:
      return;
  }
}

void World::end_fence_fault(const Fault& fault, Node& node) {
  switch (fault.kind) {
    case FaultKind::port_down:
      if (--node.plug.down == 0) port_comes_up(node);
      return;
    case FaultKind::migrate:
      return arrive(node);
    case FaultKind::notice_lost:
      --node.notices_lost;
      return;
    case FaultKind::notice_late:
      node.notices_late_ms -= fault.value;
      return;
    case FaultKind::notice_twice:
      --node.notices_twice;
      return;
    default:
      return;
  }
}

// What a stranger makes up, or has overheard and says again: to somebody, of somebody.
void World::forge_notice(bool overheard) {
  if (!fences_) return;
  const auto any = [&] {
    return scene_.ports[fence_random_.below(static_cast<uint32_t>(scene_.ports.size()))];
  };
  const Node& of = scene_.nodes[any()];
  core::FenceNotice notice{of.id, of.plug.incarnation, fence_random_.next()};
  if (overheard && !notices_.empty())
    notice = notices_[fence_random_.below(static_cast<uint32_t>(notices_.size()))];
  deliver_notice(any(), notice);
}

}  // namespace nlb::sim
