// SPDX-License-Identifier: Apache-2.0
// Other views in earshot, and hosts in none: who gives way to whom, and for whom this host waits before it
// owns anything. A word may be of before; whoever owns nothing can afford to wait, D at most.
#include <bit>

#include "core/host.hh"

namespace nlb::core {

// A member of our view has moved on to a view without us.
bool Host::shut_out_by_a_peer(const Circle& circle) const {
  if (std::popcount(view_.members) < 2) return false;
  bool shut_out = false;
  for_each_host(view_.members & circle.heard & circle.compatible, [&](HostId id) {
    const auto& heartbeat = peers_[id].heartbeat;
    if (in_a_view(heartbeat) && heartbeat.view >= view_.number &&
        !(heartbeat.view_members & bit_of(settings_.id)))
      shut_out = true;
  });
  return shut_out;
}

bool Host::is_better_than_ours(HostSet members) const {
  const int theirs = std::popcount(members), ours = std::popcount(view_.members);
  return theirs != ours ? theirs > ours : std::countr_zero(members) < std::countr_zero(view_.members);
}

bool Host::is_in_a_better_view(HostSet others, const Circle& circle) const {
  bool better = false;
  for_each_host(others, [&](HostId id) {
    const auto& heartbeat = peers_[id].heartbeat;
    better = better || (in_a_view(heartbeat) && is_better_than_ours(heartbeat.view_members) &&
                        !is_no_threat(id, circle));
  });
  return better;
}

// Another view in earshot, without us, serves and is the better one: ours owns nothing until both are one.
bool Host::yields_to_a_better_view(const Circle& circle) const {
  return is_in_a_better_view(circle.mutual & circle.compatible & ~view_.members, circle);
}

// Frames of its members come, but later than a lease lasts: both can be one view only when that is over.
HostSet Host::late_and_better(const Circle& circle) const {
  HostSet better = 0;
  for_each_host(circle.heard & circle.compatible & ~circle.mutual & ~view_.members, [&](HostId id) {
    const auto& heartbeat = peers_[id].heartbeat;
    if (report_of_hearing(heartbeat, settings_.id) == nullptr) return;
    const HostSet without_us = (heartbeat.view_members & bit_of(settings_.id)) != 0
                                   ? heartbeat.view_members & ~view_.members
                                   : heartbeat.view_members;
    if (is_better_than_ours(without_us)) better |= bit_of(id);
  });
  return better;
}

// Until then the better one serves, and ours is given up, so that the other sees that it is alone. This holds
// of views that are yet to be formed as well: two that wait for each other would both begin when it is too
// late to hear of it. But whoever is in no view for longer than it has to listen, and than its word may be
// under way, cannot serve (its gateway does not answer): it is not waited for.
bool Host::waits_for_a_late_view(Nanos now, const Circle& circle) const {
  bool waits = false;
  for_each_host(late_and_better(circle), [&](HostId id) {
    const Nanos since = peers_[id].in_no_view_since;
    waits = waits || since == 0 || now - since < 2 * silence_limit();
  });
  return waits;
}

// A lone host that hears a better view, and is not heard there, lets its lease run out (may_serve_alone).
// What it owns it must not take along into a view with others, whose echoes would prolong it.
bool Host::had_to_lapse_beside(HostSet wanted, const Circle& circle) const {
  if (std::popcount(view_.members) != 1 || !ownership_.owns_anything()) return false;
  return is_in_a_better_view(circle.heard & circle.compatible & ~wanted, circle);
}

// Whoever hears somebody mutually is not cut off, and asks no gateway: that one may be refused, because it
// has another configuration, or is held down, and then nobody else serves.
bool Host::may_serve_alone(Nanos now, const Circle& circle) const {
  if (!carrier_ || !bound_ || now - listening_since_ < silence_limit()) return false;
  if (circle.mutual == 0 && !gateway_answers(now)) return false;
  if (!came_to_serve_ && unproven_owners_.wait(now)) return false;
  // Somebody who is in a view is heard: first form a common one. With whom this host does not reach there
  // will be none: the better one serves, else several that hear each other in a ring would wait for ever.
  bool company = false;
  for_each_host(circle.heard & circle.compatible, [&](HostId id) {
    const auto& heartbeat = peers_[id].heartbeat;
    const bool reached = report_of_hearing(heartbeat, settings_.id) != nullptr;
    company = company || (heartbeat.phase != 0 && (reached || is_better_than_ours(heartbeat.view_members)));
  });
  return !company;
}

// Whoever serves already is not disturbed.
void Host::ask_unproven_owners(Nanos now) {
  const bool would_begin = !came_to_serve_ && bound_ && self().active;
  for (const KernelProbe& question : unproven_owners_.ask(would_begin, now)) out_.probes.push_back(question);
}

// It lists a frame of ours that is older than a host may list, slewed clocks included: it tells how things
// stood before its sender's lease was over.
bool Host::was_long_under_way(const wire::Heartbeat& heartbeat, Nanos now) const {
  const auto* report = report_of_hearing(heartbeat, settings_.id);
  if (report == nullptr || report->incarnation != static_cast<uint32_t>(settings_.incarnation)) return false;
  const auto sent = send_time(report->sequence);
  return !sent || now - *sent > silence_limit() / 4 * 5;
}

// A host that was evicted here, and did not hear of it: it still states a view with this host in it. What it
// owned it may own yet, kept alive by others' echoes, and this host may own the same since. The one that
// knows gives way: it owns nothing until both have met in a view, or the other's lease is over.
void Host::yield_to_the_unaware(const wire::Heartbeat& heartbeat, Nanos now) {
  const HostId id = heartbeat.header.sender;
  if (!(not_heard_since_evicted_ & bit_of(id)) || was_long_under_way(heartbeat, now)) return;
  not_heard_since_evicted_ &= ~bit_of(id);
  if (!in_a_view(heartbeat) || !(heartbeat.view_members & bit_of(settings_.id))) return;
  left_behind_until_[id] = now + silence_limit();
  if (!ownership_.owns_anything()) return;
  note(Notice::Kind::view_changed, id, "was evicted and does not know: owns nothing until it does");
  ownership_.clear();
  renew_view_ = phase_ == Phase::acquired;
  out_.states_changed = true;
}

// Whoever is heard and stays outside: members that are left behind alive, and members of other views, with
// whom this host may never have shared one. What they own they own until they say otherwise or their lease is
// over; it is, at most D from now.
void Host::note_left_behind(HostSet before, HostSet after, Nanos now) {
  for (HostId id = 1; id <= kMaxHosts; ++id) {
    const Peer& peer = peers_[id];
    const bool elsewhere =
        peer.believed && now - peer.heard_at < silence_limit() && peer.heartbeat.phase != 0;
    if (after & bit_of(id))
      left_behind_until_[id] = 0;
    else if (id != settings_.id && ((before & bit_of(id)) != 0 || elsewhere))
      left_behind_until_[id] = now + silence_limit();
  }
}

bool Host::somebody_left_behind_owns(Nanos now, const Circle& circle) const {
  bool owns = false;
  for_each_host(circle.heard & ~view_.members, [&](HostId id) {
    owns = owns || (in_a_view(peers_[id].heartbeat) && now < left_behind_until_[id]);
  });
  return owns;
}

// Whoever comes out of no view may do so at the same moment as a host whose newest word is of before: first
// that one has to know. What it does then, its word says: it gives way, or is the better one. Whoever does
// not hear this host cannot know, nor need it; and who is silent from then on is an owner for D at most. A
// group with another configuration, that knows, and serves: it hears more of its kind than this host does.
bool Host::somebody_may_begin_beside_us(Nanos now, const Circle& circle) const {
  if (ownership_.owns_anything()) return false;
  const bool is_new_here = now - came_into_view_at_ < silence_limit();
  bool may = is_new_here && somebody_is_yet_to_be_believed(now, circle);
  for_each_host(circle.answering & ~view_.members, [&](HostId id) {
    const auto& heartbeat = peers_[id].heartbeat;
    if (!takes_part(heartbeat)) return;
    const auto* report = report_of_hearing(heartbeat, settings_.id);
    const bool knows = report != nullptr && report->phase != 0 && report->view >= first_view_;
    const bool differs = (circle.compatible & bit_of(id)) == 0;
    may = may || (knows ? differs && serves(heartbeat) : is_new_here);
  });
  return may;
}

// Frames of a host outside come that may be a replay, or of one that owns something and is to prove that it
// lives.
bool Host::somebody_is_yet_to_be_believed(Nanos now, const Circle& circle) const {
  bool somebody = false;
  for_each_host(peers_.heard_of & ~circle.heard & ~view_.members & ~bit_of(settings_.id), [&](HostId id) {
    somebody = somebody || peers_[id].candidates.in_turn(0, now, silence_limit()) != nullptr;
  });
  return somebody;
}

// Another machine has the id of a host, or ours, hears this host and is in a view without it: what it owns is
// not known here. It gives up when it is judged, or sees its id in another's view.
bool Host::a_rival_serves(Nanos now) const {
  bool serves = false;
  for_each_host(peers_.heard_of | view_.members, [&](HostId id) {
    serves = serves || (has_rival(peers_[id], now) && peers_[id].rival_serves);
  });
  return serves;
}

bool Host::has_rival(const Peer& peer, Nanos now) const {
  return peer.rival_heard_at != 0 && now - peer.rival_heard_at < silence_limit();
}

// Somebody in earshot is in a view with this id, and lists another machine under it: it has taken that one.
bool Host::others_share_a_view_with_a_namesake(const Circle& circle) const {
  bool shared = false;
  for_each_host(circle.heard & circle.compatible, [&](HostId id) {
    const auto& heartbeat = peers_[id].heartbeat;
    const auto* report = report_of_hearing(heartbeat, settings_.id);
    shared =
        shared || (in_a_view(heartbeat) && (heartbeat.view_members & bit_of(settings_.id)) != 0 &&
                   report != nullptr && report->incarnation != static_cast<uint32_t>(settings_.incarnation));
  });
  return shared;
}

}  // namespace nlb::core
