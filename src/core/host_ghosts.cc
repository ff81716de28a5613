// SPDX-License-Identifier: Apache-2.0
// Hosts outside our view that may have connections: those that are heard, and those that have fallen silent
// without handing over. The kernel of a dead daemon lives on, and is asked by ARP whether it does.
#include <algorithm>

#include "core/host.hh"

namespace nlb::core {
namespace {

constexpr int kProbesBeforeGone = 3;
constexpr Nanos kGoneAskedEvery = kSecond;
constexpr Nanos kGoneAskedFor = 15 * 60 * kSecond;  // as long as a TCP sends again to who does not answer
constexpr Nanos kUnprobedHold = 10 * kSecond;  // a ghost without an address: as long as a planned restart

// By its adapter: an id may have been taken by another machine. Some have no address, and nobody has this
// one.
MacAddress key_of(const Ghost& ghost) {
  return ghost.mac.is_zero() ? MacAddress{{0, 0, 0, 0, 0, ghost.id}} : ghost.mac;
}

}  // namespace

// Whoever is heard but not in our view may have connections anywhere: check until it is in, or gone. If it
// falls silent, its kernel may live on.
void Host::look_for_outsiders(Nanos now, const Circle& circle) {
  HostSet outsiders = 0;
  for_each_host(circle.heard & ~view_.members, [&](HostId id) {
    if (may_hold_connections(peers_[id].heartbeat)) outsiders |= bit_of(id);
  });
  bool heard = outsiders != 0;
  for_each_host(outsiders_ & ~outsiders & ~view_.members, [&](HostId id) {
    const Peer& peer = peers_[id];
    const bool restarts = (peer.heartbeat.flags & wire::kRestarting) != 0;
    const bool has_stopped = (circle.heard & bit_of(id)) != 0 && !restarts;
    if (!peer.believed || has_stopped) return;
    const bool silent = now - std::max(peer.heard_at, listening_since_) >= silence_limit();
    if (silent || restarts)
      remember_ghost(id, false, now);
    else
      outsiders |= bit_of(id);  // this host was away itself
  });
  outsiders_ = outsiders;
  for_each_host(peers_.heard_of | bit_of(settings_.id),
                [&](HostId id) { heard = heard || has_rival(peers_[id], now); });
  if (heard != outsider_heard_) out_.states_changed = true;
  outsider_heard_ = heard && !planted(Bug::outsiders_ignored);
}

// Of a host that was in our view it is known what it may have held; of any other one, nothing.
void Host::remember_ghost(HostId id, bool of_our_view, Nanos now) {
  if (planted(Bug::no_ghosts)) return;
  const Peer& peer = peers_[id];
  const bool restarting = (peer.heartbeat.flags & wire::kRestarting) != 0;
  Ghost ghost;
  ghost.id = id;
  ghost.buckets = peer.held.slots.empty() ? SlotBuckets(kMaxSlots) : peer.held.slots;
  if (!of_our_view || !held_complete(peer))  // or it died before it had said what it holds
    for (std::size_t slot : ownership_.slots()) ghost.buckets[slot].set();
  for (std::size_t slot : ownership_.slots())
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
      if (tables_[slot][bucket] == id || next_tables_[slot][bucket] == id) ghost.buckets[slot].set(bucket);
  ghost.address = peer.heartbeat.dedicated_ip;
  ghost.mac = peer.heartbeat.adapter_mac;
  const bool can_be_asked = !ghost.address.is_unspecified() && !ghost.mac.is_zero();
  ghost.probed = !restarting && can_be_asked;
  ghost.next_probe = ghost.answered_at = now;
  if (!ghost.probed) ghost.until = now + (restarting ? peer.heartbeat.hold_s * kSecond : kUnprobedHold);
  const MacAddress key = key_of(ghost);
  gone_.erase(key);
  ghosts_[key] = std::move(ghost);
}

void Host::tend_ghosts(Nanos now) {
  for (auto it = ghosts_.begin(); it != ghosts_.end();) {
    Ghost& ghost = it->second;
    const Nanos interval = std::max(period(), silence_limit() / kProbesBeforeGone);
    const Peer& peer = peers_[ghost.id];  // the same machine, or another one that has taken its id
    const bool back = (view_.members & bit_of(ghost.id)) && phase_ == Phase::acquired &&
                      held_complete(peer) && peer.heartbeat.adapter_mac == ghost.mac;
    const bool silent = ghost.probed && (now - ghost.answered_at >= interval * (kProbesBeforeGone + 1) ||
                                         planted(Bug::ghosts_fade));
    const bool over = silent || (ghost.until != 0 && now >= ghost.until);
    if (back || over) {
      if (over)
        note(Notice::Kind::kernel_of_peer_gone, ghost.id,
             silent ? "its kernel answers no more: its connections are gone"
                    : "the time in which its connections were left alone is over");
      if (silent && !back) {
        ghost.next_probe = now + kGoneAskedEvery;
        if (ghost.until == 0) ghost.until = now + kGoneAskedFor;
        gone_[it->first] = std::move(ghost);
      }
      it = ghosts_.erase(it);
      out_.states_changed = true;
      publish_held();
      continue;
    }
    if (ghost.probed && now >= ghost.next_probe) {
      out_.probes.push_back({ghost.id, ghost.address, ghost.mac});
      ghost.next_probe = now + interval;
    }
    ++it;
  }
}

// A machine that stood still, and goes on with its connections, may have a daemon that does not.
void Host::ask_the_gone(Nanos now) {
  for (auto it = gone_.begin(); it != gone_.end();) {
    Ghost& ghost = it->second;
    const bool speaks = hears(ghost.id, now) && peers_[ghost.id].heartbeat.adapter_mac == ghost.mac;
    if (speaks || now >= ghost.until) {
      it = gone_.erase(it);
      continue;
    }
    if (now >= ghost.next_probe) {
      out_.probes.push_back({ghost.id, ghost.address, ghost.mac});
      ghost.next_probe = now + kGoneAskedEvery;
    }
    ++it;
  }
}

Actions Host::on_kernel_answer(const IpAddress& address, Nanos now) {
  const bool is_gateway = address == settings_.gateway;
  const bool was_silent = is_gateway && !gateway_answers(now);
  if (is_gateway) gateway_answered_at_ = now;
  unproven_owners_.hear_answer(address, now);
  const auto is_asked = [&](const auto& entry) {
    return entry.second.probed && entry.second.address == address;
  };
  const bool back = std::ranges::any_of(gone_, is_asked);
  const bool asked = was_silent || back || std::ranges::any_of(ghosts_, is_asked);
  if (!asked) return {};  // any ARP on the segment comes by here: it must cost nothing
  if (back) {             // a machine that stood still, with its connections; its daemon has not spoken
    for (auto it = gone_.begin(); it != gone_.end();) {
      const auto next = std::next(it);
      if (is_asked(*it)) {
        it->second.next_probe = now;
        ghosts_.insert(gone_.extract(it));
      }
      it = next;
    }
    out_.states_changed = true;
    publish_held();
  }
  for (auto& [mac, ghost] : ghosts_) {
    if (!ghost.probed || !(ghost.address == address)) continue;
    if (ghost.answered_at <= view_started_at_)
      note(Notice::Kind::kernel_of_peer_lives, ghost.id,
           "its kernel still answers: its connections are left alone");
    ghost.answered_at = now;
  }
  evaluate(now);
  return finish(now);
}

}  // namespace nlb::core
