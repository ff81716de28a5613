// SPDX-License-Identifier: Apache-2.0
// Extended affinity among hosts. With "released", a host lists what it keeps; it goes on owning that. Nobody
// acquires before it has every member's list, and nobody acquires what is listed: owner = kept list of this
// view, else the table. Within a view the list only shrinks. What is let go is closed first; then the list
// without it is said, and whom the table gives it to acquires it. No list names a client.
#include <algorithm>

#include "core/host.hh"
#include "wire/codec.hh"

namespace nlb::core {
namespace {

constexpr Nanos kVisitLook = kSecond;  // how often the filter is asked who came
constexpr Nanos kLongestConnectionLook = 10 * kSecond;

uint16_t next_held_generation(uint16_t generation) {
  const auto next = static_cast<uint16_t>(generation + 1);
  return next == 0 ? uint16_t{1} : next;
}

}  // namespace

// A member of an earlier version would acquire by the table alone: beside it nothing can be kept. Told by a
// flag that an incarnation says always or never, so all members of a view come to the same answer.
bool Host::all_members_keep() const {
  bool all = settings_.keeps;
  for_each_host(view_.members & ~bit_of(settings_.id),
                [&](HostId id) { all = all && (peers_[id].heartbeat.flags & wire::kKeeps) != 0; });
  return all;
}

// Who has been evicted on others' word, and is heard here yet, states the view that we have just left. What
// it owns by that one and what we own by it are apart, and we acquire nothing before its lease is over.
// Newcomers that have moved on before us, to the common view or to one of their own, state a better view than
// ours. As long as whoever is new in it owns nothing, there is no reason to give up what we own, and with it
// what we would keep: they acquire nothing while they hear an owner (waits_for_owners).
bool Host::is_no_threat(HostId id, const Circle& circle) const {
  if (!keeper_.any()) return false;
  const auto& heartbeat = peers_[id].heartbeat;
  if (heartbeat.view == former_view_.number && heartbeat.view_digest == former_view_.digest &&
      former_view_.digest != 0 && phase_ != Phase::acquired)
    return true;
  bool own_nothing = true;
  for_each_host(heartbeat.view_members & ~view_.members, [&](HostId other) {
    const bool says_so = (peers_[other].heartbeat.flags & wire::kOwnsNothing) != 0;
    own_nothing = own_nothing && (circle.heard & bit_of(other)) != 0 && says_so;
  });
  return own_nothing;
}

// Who owns nothing takes nothing beside somebody who does and could be in one view with it: first that view.
bool Host::waits_for_owners(const Circle& circle) const {
  if (!keeper_.any() || ownership_.owns_anything()) return false;
  bool waits = false;
  for_each_host(circle.mutual & circle.compatible & ~view_.members, [&](HostId id) {
    const auto& heartbeat = peers_[id].heartbeat;
    waits = waits || (in_a_view(heartbeat) && (heartbeat.flags & wire::kOwnsNothing) == 0);
  });
  return waits;
}

// Whom we are to stay outside of are newcomers that own nothing: they will take us in when we have heard each
// other for long enough. Until then what we own is nobody else's, and we would keep it.
bool Host::waits_for_newcomers(HostSet wanted) const {
  if (!keeper_.any() || phase_ == Phase::none) return false;
  bool newcomers = true;
  for_each_host(wanted, [&](HostId id) {
    newcomers = newcomers && (peers_[id].heartbeat.flags & wire::kOwnsNothing) != 0;
  });
  return newcomers;
}

// The filter's memory of visits is read at the moment of the release: the newest client counts.
bool Host::awaits_visits() {
  const bool owned_something = ownership_.owns_anything() || !lapsed_.empty();
  if (visits_known_ || !keeper_.any() || !owned_something) return false;
  out_.visits = true;
  return true;
}

Actions Host::on_visits(const SlotBuckets& seen, Nanos now) {
  keeper_.see(seen, now);
  visits_known_ = true;
  let_go_what_is_due(now);
  evaluate(now);
  visits_known_ = false;
  return finish(now);
}

// Who drains, is drained of the rule, takes no new connections or has weight 0 there keeps nothing.
std::vector<bool> Host::slots_that_may_keep() const {
  std::vector<bool> may(kMaxSlots, false);
  for (const MemberOffer& offer : members_offers(view_.members))
    if (offer.id == settings_.id && offer.takes_new_flows)
      for (const std::size_t slot : keeper_.slots()) may[slot] = weight_of_offer(offer.offers[slot]) != 0;
  return may;
}

// Without its only peer a host has no lease until that one is evicted. It may accept nothing of what it owned
// before it has acquired it again, but can keep it for those who came.
void Host::let_lapse() {
  if (keeper_.any() && ownership_.owns_anything()) lapsed_ = ownership_.owned();
  ownership_.clear();
}

// What this host would keep. What has lapsed only where it can be nobody else's since: all others have said
// in this view that they own nothing.
SlotBuckets Host::owned_until_now() const {
  SlotBuckets owned = ownership_.owned();
  bool only_here = !lapsed_.empty();
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId id) {
    only_here = only_here && (peers_[id].heartbeat.flags & wire::kOwnsNothing) != 0;
  });
  if (only_here)
    for (const std::size_t slot : keeper_.slots()) owned[slot] |= lapsed_[slot];
  return owned;
}

// At the release, before anything is closed: `next_tables_` is the new view's.
void Host::begin_keeping(Nanos now) {
  forget_kept_list();
  keeping_ = keeper_.any() && all_members_keep();
  if (!keeping_) return keeper_.let_go_of_all();
  keeper_.choose(owned_until_now(), next_tables_, settings_.id, slots_that_may_keep(), now);
  publish_kept(0);
}

void Host::forget_kept_list() {
  kept_generation_ = 0;
  kept_parts_.clear();
  kept_is_new_ = held_is_renewed_ = false;
}

// The first list of a view may be empty, and then there are no frames of it; a later one always has some, for
// they say from which of our held lists on these say enough.
void Host::publish_kept(uint16_t held_from) {
  kept_generation_ = next_kept_generation(kept_generation_);
  kept_parts_ = wire::split_held(keeper_.kept());
  if (kept_parts_.empty() && held_from != 0) kept_parts_ = {empty_list()};
  for (auto& part : kept_parts_) {
    part.view = view_.number;
    part.generation = kept_generation_;
    part.owner = settings_.id;
    part.held_from = held_from;
  }
  kept_is_new_ = kept_changed_ = true;
  say_soon_ = true;
  out_.states_changed = true;
}

wire::HeldPart Host::empty_list() {
  wire::HeldPart part;
  part.parts = 1;
  part.slots.emplace_back();
  return part;
}

// What is kept in this view before all lists are known: our own goes on being owned meanwhile.
SlotTables Host::tables_with_own_kept() const {
  if (!keeping_) return next_tables_;
  const MemberKept own{settings_.id, &keeper_.kept()};
  return owners_with_kept(next_tables_, {&own, 1});
}

SlotTables Host::tables_with_kept() const {
  if (!keeping_) return next_tables_;
  std::vector<MemberKept> members;
  for_each_host(view_.members, [&](HostId id) {
    const HeldList* list = kept_list_of(id);
    if (id == settings_.id)
      members.push_back({id, &keeper_.kept()});
    else if (list != nullptr && !planted(Bug::kept_ignored))
      members.push_back({id, &list->slots});
  });
  return owners_with_kept(next_tables_, members);
}

SlotBuckets Host::kept_by(HostId id) const {
  if (!keeping_ || !(view_.members & bit_of(id))) return SlotBuckets(kMaxSlots);
  if (id == settings_.id) return keeper_.kept();
  const HeldList* list = kept_list_of(id);
  return list != nullptr ? list->slots : SlotBuckets(kMaxSlots);
}

// Its first list of this view is empty, says the member itself: then no other counts. (A machine that was set
// back to a snapshot may come to the same view a second time, and owns nothing then.)
bool Host::says_it_keeps_nothing(HostId id) const {
  const auto& heartbeat = peers_[id].heartbeat;
  return heartbeat.view == view_.number && heartbeat.view_digest == view_.digest &&
         heartbeat.kept_generation != 0 && heartbeat.kept_parts == 0;
}

// Null: there is none of this view, or nothing is in it.
const HeldList* Host::kept_list_of(HostId id) const {
  const HeldList& list = peers_[id].kept;
  const bool listed = list.view == view_.number && list.generation != 0;
  return listed && !says_it_keeps_nothing(id) ? &list : nullptr;
}

bool Host::kept_list_complete(HostId id) const {
  return kept_list_of(id) != nullptr || says_it_keeps_nothing(id);
}

bool Host::kept_lists_complete() const {
  bool complete = true;
  if (keeping_)
    for_each_host(view_.members & ~bit_of(settings_.id),
                  [&](HostId id) { complete = complete && kept_list_complete(id); });
  return complete;
}

// Of a member itself, or passed on by one in the same view.
void Host::hear_kept(const wire::HeldPart& part) {
  if (part.owner == settings_.id) return;
  Peer& owner = peers_[part.owner];
  if (part.owner != part.header.sender) {
    const auto& theirs = peers_[part.header.sender].heartbeat;
    const bool same_view = theirs.view == view_.number && theirs.view_digest == view_.digest &&
                           phase_ != Phase::none && part.view == view_.number;
    if (!same_view || !owner.believed || !(view_.members & bit_of(part.owner))) return;
  }
  const bool known = owner.kept.view == part.view && owner.kept.generation != 0;
  if (known && !is_newer_kept(part.generation, owner.kept.generation)) return;
  if (!owner.collecting_kept.take(part)) return;
  owner.kept = std::move(owner.collecting_kept);
  owner.collecting_kept = HeldList{};
  kept_changed_ = true;
  say_soon_ = true;
  out_.states_changed = true;
}

// In an acquired view: somebody's list has become shorter. What the table gives to this host and nobody keeps
// any more is its own from now on.
void Host::settle_kept() {
  if (!kept_changed_ || phase_ != Phase::acquired || !keeping_ || !kept_lists_complete()) return;
  kept_changed_ = false;
  tables_ = tables_with_kept();
  if (ownership_.in_force()) ownership_.acquire(tables_, settings_.id);
  out_.states_changed = true;
}

// Closed first. Connections in these buckets are held from now on, and which these are the socket table will
// tell; the held lists of before do not, so until the next one the others check all of theirs.
void Host::let_go_what_is_due(Nanos now) {
  if (phase_ != Phase::acquired || !keeping_ || !ownership_.in_force() || now < next_let_go_) return;
  const SlotBuckets due = keeper_.due(now);
  if (std::all_of(due.begin(), due.end(), [](const BucketSet& buckets) { return buckets.none(); })) return;
  keeper_.let_go(due);
  ownership_.give_up(due);
  held_is_renewed_ = true;
  publish_kept(next_held_generation(held_generation_));
  ask_for_scan();
  next_scan_ = now + kSecond;
  // Numbers of lists come again: who has missed 15 of them has missed all frames for more than D.
  next_let_go_ = now + std::max(kVisitLook, silence_limit() / 4);
}

// Asks for visits each second, and lets the socket table tell of clients with idle connections.
bool Host::look_for_clients(Nanos now) {
  if (!keeper_.any() || !ownership_.owns_anything()) return false;
  if (now >= next_visits_) {
    out_.visits = true;
    next_visits_ = now + kVisitLook;
  }
  if (now < next_connection_look_ || scan_pending_) return false;
  next_connection_look_ = now + std::clamp(keeper_.shortest_timeout() / 2, kSecond, kLongestConnectionLook);
  return true;
}

// Does a member lack this list? It says which one it has, of those too whom it does not hear.
bool Host::lacks_kept(HostId member, HostId owner, uint16_t generation) const {
  const auto& heartbeat = peers_[member].heartbeat;
  const auto* report = report_of(heartbeat, owner);
  const bool here = heartbeat.view == view_.number && heartbeat.view_digest == view_.digest;
  return !here || report == nullptr || report->kept_generation != generation;
}

void Host::say_kept(Nanos now) {
  kept_is_new_ = false;
  if (!keeping_ || kept_generation_ == 0 || !is_active(state_)) return;
  bool missing = false;
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId id) {
    missing = missing || (hears(id, now) && lacks_kept(id, settings_.id, kept_generation_));
  });
  if (missing) say_parts(kept_parts_, now);
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId owner) { pass_on_kept(owner, now); });
}

// Two members that do not hear each other, and that this host hears: one learns by it what the other keeps.
void Host::pass_on_kept(HostId owner, Nanos now) {
  if (!hears(owner, now) || !kept_list_complete(owner)) return;
  const HeldList* list = kept_list_of(owner);
  const uint16_t generation = list != nullptr ? list->generation : peers_[owner].heartbeat.kept_generation;
  bool missing = false;
  for_each_host(view_.members & ~bit_of(settings_.id) & ~bit_of(owner), [&](HostId id) {
    const bool deaf = report_of_hearing(peers_[id].heartbeat, owner) == nullptr;
    missing = missing || (hears(id, now) && deaf && lacks_kept(id, owner, generation));
  });
  if (!missing) return;
  auto parts = list != nullptr ? wire::split_held(list->slots) : std::vector<wire::HeldPart>{};
  if (parts.empty()) parts = {empty_list()};
  for (auto& part : parts) {
    part.view = view_.number;
    part.generation = generation;
    part.owner = owner;
    part.held_from = list != nullptr ? list->held_from : uint16_t{0};
  }
  say_parts(parts, now);
}

void Host::say_parts(const std::vector<wire::HeldPart>& parts, Nanos now) {
  for (wire::HeldPart part : parts) {
    part.header = next_header(now);
    out_.sends.push_back({Send::To::group, {}, part});
  }
}

}  // namespace nlb::core
