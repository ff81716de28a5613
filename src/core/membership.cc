// SPDX-License-Identifier: Apache-2.0
// Idea: start from the best view that anyone in earshot states (more members, then lowest id), take out who
// left or is accused by enough, add in ascending order who hears, and is heard by, all that are in. Two
// groups that meet thus compute the same union, and a pair of hosts that cannot hear each other never makes
// two different ones.
#include "core/membership.hh"

#include <bit>
#include <tuple>

#include "core/planted.hh"
#include "core/service.hh"

namespace nlb::core {
namespace {

bool better_base(HostSet a, HostSet b) {
  if (std::popcount(a) != std::popcount(b)) return std::popcount(a) > std::popcount(b);
  return std::countr_zero(a) < std::countr_zero(b);
}

// Whoever states an older view that this host was in lags behind: taken for a base, it would bring back those
// who have just been evicted.
HostSet best_base(const Self& self, const PeerTable& peers, const Circle& circle) {
  HostSet base = self.view_members | bit_of(self.id);
  for_each_host(circle.compatible & circle.mutual, [&](HostId id) {
    const HostSet stated = peers[id].heartbeat.view_members;
    if ((stated & bit_of(self.id)) && peers[id].heartbeat.view < self.view) return;
    if (stated != 0 && better_base(stated, base)) base = stated;
  });
  return base;
}

// It says itself that it is not in a view with anyone: it owns nothing there, and may be left out at once.
bool has_left(HostId id, const Circle& circle) {
  if (!(circle.heard & bit_of(id))) return false;
  return !(circle.compatible & bit_of(id));
}

// Of a host outside our view, what counts is whether it could be in: whoever is heard and does not hear us
// would be accused as soon as it is.
bool accuses(const Self& self, HostId id, const PeerTable& peers, const Circle& circle) {
  if (self.view_members & bit_of(id)) return peers[id].accused;
  return !(circle.mutual & bit_of(id)) && (peers[id].accused || (circle.heard & bit_of(id)));
}

// It may hear the suspect yet, which has stopped, or which it has removed itself.
bool went_on_without(HostId suspect, const wire::Heartbeat& heartbeat, const Self& self) {
  return heartbeat.view > self.view && (heartbeat.view_members & bit_of(self.id)) != 0 &&
         !(heartbeat.view_members & bit_of(suspect));
}

// Is there a member, this host or one that it hears and does not accuse, that hears the suspect, and is heard
// by it as far as that is known here? An echo that does not arrive keeps no lease alive.
bool somebody_testifies(HostId suspect, HostSet base, const Self& self, const PeerTable& peers,
                        const Circle& circle) {
  bool testified = (circle.mutual & bit_of(suspect)) != 0 && !accuses(self, suspect, peers, circle);
  for_each_host(base & circle.heard & ~bit_of(suspect), [&](HostId id) {
    if (went_on_without(suspect, peers[id].heartbeat, self)) return;
    const wire::PeerReport* report = report_of(peers[id].heartbeat, suspect);
    const bool lists_it = report != nullptr && !report->accused;
    const bool is_listed =
        !(circle.heard & bit_of(suspect)) || report_of_hearing(peers[suspect].heartbeat, id) != nullptr;
    if (!peers[id].accused && lists_it && is_listed) testified = true;
  });
  return testified;
}

bool evicted(HostId suspect, HostSet base, const Self& self, const PeerTable& peers, const Circle& circle) {
  const int accusers = accusers_of(suspect, base, self, peers, circle);
  if (accusers >= 2) return true;
  return accusers == 1 && !somebody_testifies(suspect, base, self, peers, circle) &&
         (suspect != self.id);  // our own eviction is told to us by a view, not concluded from one voice
}

// The mistake is about echoes alone: with this it would be one of views that come and go.
bool is_shut_out(const wire::PeerReport& report) {
  return report.accused && !planted(Bug::accused_for_ever);
}

bool accuses_us(const wire::Heartbeat& heartbeat, const Self& self) {
  const auto* report = report_of(heartbeat, self.id);
  return report != nullptr && is_shut_out(*report) &&
         report->incarnation == static_cast<uint32_t>(self.incarnation);
}

// Whether who reports this could be in a view with the peer: it does not accuse it, and its frames come soon
// enough to be believed. Of a mere candidate no view is reported.
bool believes(const wire::PeerReport* report, const Peer& peer) {
  if (report == nullptr || is_shut_out(*report)) return false;
  const bool candidate = report->view == 0 && peer.heartbeat.view != 0;
  return !candidate && report->incarnation == static_cast<uint32_t>(peer.incarnation);
}

// Of pairs with this host, only what has lasted for `join_delay` counts: several that come at once join at
// once. Whoever accuses this host does not take it up yet: a view with it would come to nothing, and
// everybody would yield to it.
bool hear_each_other(HostId a, HostId b, const Self& self, const PeerTable& peers, const Circle& circle,
                     Nanos joined_before) {
  if (a == self.id) std::swap(a, b);
  if (b == self.id)
    return (circle.mutual & bit_of(a)) != 0 && !accuses_us(peers[a].heartbeat, self) &&
           peers[a].mutual_since + hold_down(peers[a]) <= joined_before;
  if (!(circle.heard & bit_of(a)) || !(circle.heard & bit_of(b))) return false;
  const auto* a_of_b = report_of_hearing(peers[a].heartbeat, b);
  const auto* b_of_a = report_of_hearing(peers[b].heartbeat, a);
  return believes(a_of_b, peers[b]) && believes(b_of_a, peers[a]);
}

bool lists(const wire::Heartbeat& heartbeat, const Self& self) {
  const auto* report = report_of_hearing(heartbeat, self.id);
  return report != nullptr && report->incarnation == static_cast<uint32_t>(self.incarnation);
}

bool hears_all(HostId id, HostSet others, const Self& self, const PeerTable& peers, const Circle& circle,
               Nanos joined_before) {
  bool all = true;
  for_each_host(others & ~bit_of(id), [&](HostId other) {
    all = all && hear_each_other(id, other, self, peers, circle, joined_before);
  });
  return all;
}

// Of a view that does not come about, for two of its members do not hear each other, and one of them cannot
// know what the other one offers: without the host, time and again, that most others of it do not hear.
HostSet without_bad_pairs(HostSet members, const Self& self, const PeerTable& peers, const Circle& circle,
                          Nanos now) {
  for (;;) {
    HostId worst = 0;
    int most = 0;
    for_each_host(members, [&](HostId id) {
      int bad = 0;
      for_each_host(members & ~bit_of(id), [&](HostId other) {
        bad += hear_each_other(id, other, self, peers, circle, now) ? 0 : 1;
      });
      if (bad == 0 || bad < most) return;
      most = bad;
      worst = id;
    });
    if (worst == 0) return members;
    members &= ~bit_of(worst);
  }
}

// Of groups with different configurations the least goes on.
std::tuple<int, int64_t, int> rank_of(HostSet members, uint32_t generation) {
  return {-std::popcount(members), -int64_t{generation}, std::countr_zero(members)};
}

bool stays(const wire::Heartbeat& heartbeat) {
  return (heartbeat.flags & (wire::kLeaving | wire::kRestarting)) == 0;
}

// Others still have, or have again, whom this host has just removed: taken up and removed with every frame,
// it would keep all from settling.
bool waits(const Peer& peer, Nanos now, Nanos join_delay) {
  if (peer.removed_at == 0) return false;
  return now - peer.removed_at < join_delay || is_held_down(peer, now);
}

}  // namespace

const char* differing_item(const wire::ConfigDigests& ours, const wire::ConfigDigests& theirs) {
  if (theirs.mode != ours.mode) return "mode";
  if (theirs.vips != ours.vips) return "vips";
  if (theirs.seed != ours.seed) return "seed of the key file";
  if (theirs.rules != ours.rules) return "port rules";
  if (theirs.period_ms != ours.period_ms || theirs.tolerance != ours.tolerance) return "heartbeat profile";
  return nullptr;
}

bool may_hold_connections(const wire::Heartbeat& heartbeat) {
  const bool runs = is_active(heartbeat.state) || heartbeat.state == HostState::refused;
  return runs && !(heartbeat.flags & wire::kRestarting);
}

bool takes_part(const wire::Heartbeat& heartbeat) {
  return is_active(heartbeat.state) && stays(heartbeat);
}

bool in_a_view(const wire::Heartbeat& heartbeat) {
  return heartbeat.phase != 0 && stays(heartbeat);
}

bool serves(const wire::Heartbeat& heartbeat) {
  return in_a_view(heartbeat) && heartbeat.phase == static_cast<uint8_t>(Phase::acquired);
}

bool may_take_new_flows(const wire::Heartbeat& heartbeat) {
  const bool none = (heartbeat.flags & (wire::kUnhealthy | wire::kOwnsNothing)) != 0;
  if (none || heartbeat.state == HostState::draining || service_of(heartbeat) == Service::out) return false;
  return std::ranges::any_of(heartbeat.offers, [](uint8_t offer) {
    return offer != 0 && offer != wire::kOfferAsLast && offer < wire::kOfferUnhealthy;
  });
}

const wire::PeerReport* report_of(const wire::Heartbeat& heartbeat, HostId about) {
  for (const wire::PeerReport& report : heartbeat.peers)
    if (report.id == about) return &report;
  return nullptr;
}

const wire::PeerReport* report_of_hearing(const wire::Heartbeat& heartbeat, HostId about) {
  const auto* report = report_of(heartbeat, about);
  return report != nullptr && !wire::is_mere_accusation(*report) ? report : nullptr;
}

bool hear_each_other_now(const Self& self, const Peer& peer, Nanos now, Nanos silence_limit) {
  if (!peer.believed || now - peer.heard_at >= silence_limit) return false;
  return lists(peer.heartbeat, self) && peer.prompt_at != 0 && now - peer.prompt_at < silence_limit;
}

Circle circle_of(const Self& self, const PeerTable& peers, Nanos now, Nanos silence_limit) {
  Circle circle;
  for_each_host(peers.heard_of & ~bit_of(self.id), [&](HostId id) {
    const Peer& peer = peers[id];
    if (!peer.believed || now - peer.heard_at >= silence_limit) return;
    circle.heard |= bit_of(id);
    if (lists(peer.heartbeat, self)) circle.answering |= bit_of(id);
    if (hear_each_other_now(self, peer, now, silence_limit)) circle.mutual |= bit_of(id);
    for (const wire::PeerReport& report : peer.heartbeat.peers)
      if (report.accused) circle.accused |= bit_of(report.id);
    const bool same = differing_item(self.digests, peer.heartbeat.digests) == nullptr;
    if (takes_part(peer.heartbeat) && same) circle.compatible |= bit_of(id);
  });
  return circle;
}

int accusers_of(HostId suspect, HostSet base, const Self& self, const PeerTable& peers,
                const Circle& circle) {
  int accusers = 0;
  if (suspect != self.id && (base & bit_of(self.id)) && accuses(self, suspect, peers, circle)) ++accusers;
  if (!(circle.accused & bit_of(suspect))) return accusers;
  const uint64_t incarnation = suspect == self.id ? self.incarnation : peers[suspect].incarnation;
  for_each_host(base & circle.heard & ~bit_of(suspect), [&](HostId id) {
    const auto* report = report_of(peers[id].heartbeat, suspect);
    if (report != nullptr && report->accused && report->incarnation == static_cast<uint32_t>(incarnation))
      ++accusers;
  });
  return accusers;
}

HostSet wanted_members(const Self& self, const PeerTable& peers, const Circle& circle, Nanos now,
                       Nanos join_delay) {
  if (!self.active) return 0;
  const HostSet base = best_base(self, peers, circle);
  HostSet wanted = 0;
  for_each_host(base, [&](HostId id) {
    if (id != self.id && !peers[id].believed) return;  // never heard: its offers are not known here
    if (id != self.id && has_left(id, circle)) return;
    if (id != self.id && !(self.view_members & bit_of(id)) && waits(peers[id], now, join_delay)) return;
    if (!evicted(id, base, self, peers, circle)) wanted |= bit_of(id);
  });
  const HostSet possible = (circle.compatible & circle.mutual) | bit_of(self.id);
  if (self.view_is_stuck) wanted = without_bad_pairs(wanted & possible, self, peers, circle, now);
  for_each_host(possible & ~wanted & ~self.put_off, [&](HostId id) {
    if (hears_all(id, wanted, self, peers, circle, now - join_delay)) wanted |= bit_of(id);
  });
  return wanted;
}

HostId better_group_than_ours(const Self& self, const PeerTable& peers, HostSet others) {
  struct Group {
    wire::ConfigDigests digests;
    HostSet members = 0;  // of whom it is heard, and whom these have in their views without being heard here
    uint32_t generation = 0;
    HostId heard = 0;  // the lowest id of those who are heard
  };
  auto content = [](wire::ConfigDigests digests) {
    digests.generation = 0;
    return digests;
  };
  bool alike = true;  // as nearly always
  for_each_host(others, [&](HostId id) {
    alike = alike && differing_item(self.digests, peers[id].heartbeat.digests) == nullptr;
  });
  if (alike) return 0;
  const HostSet speakers = others | bit_of(self.id);
  std::vector<Group> groups = {{content(self.digests), bit_of(self.id) | (self.view_members & ~speakers),
                                self.digests.generation, self.id}};
  for_each_host(others, [&](HostId id) {
    const auto& heartbeat = peers[id].heartbeat;
    if (!is_active(heartbeat.state)) return;
    const auto digests = content(heartbeat.digests);
    auto group = groups.begin();
    while (group != groups.end() && !(group->digests == digests)) ++group;
    if (group == groups.end()) group = groups.insert(groups.end(), Group{digests, 0, 0, id});
    group->members |= bit_of(id) | (heartbeat.view_members & ~speakers);
    group->generation = std::max(group->generation, heartbeat.digests.generation);
  });
  const Group ours = groups.front();
  for (const Group& group : groups) {
    if (rank_of(group.members, group.generation) < rank_of(ours.members, ours.generation)) return group.heard;
  }
  return 0;
}

HostId better_server_than_ours(const Self& self, const PeerTable& peers, HostSet others) {
  const auto ours = rank_of(self.view_members, self.digests.generation);
  HostId better = 0;
  for_each_host(others, [&](HostId id) {
    const auto& heartbeat = peers[id].heartbeat;
    if (better != 0 || !serves(heartbeat) || differing_item(self.digests, heartbeat.digests) == nullptr)
      return;
    if (rank_of(heartbeat.view_members, heartbeat.digests.generation) < ours) better = id;
  });
  return better;
}

}  // namespace nlb::core
