// SPDX-License-Identifier: Apache-2.0
// View and phases. A view is (number, members, digest of what members offer). Two-phase ownership: when all
// members are seen in the same view, each releases what it loses and says so; when all have released, each
// acquires. Hence no instant with two owners, and a gap of one message delay.
#include <algorithm>
#include <bit>
#include <utility>

#include "core/host.hh"
#include "core/service.hh"

namespace nlb::core {
namespace {

constexpr int kGatewayProbes = 5;  // within D
constexpr Nanos kShortStay = 5 * kSecond;

std::string members_text(HostSet members) {
  std::string text;
  for_each_host(members, [&](HostId id) { text += (text.empty() ? "" : ",") + std::to_string(id); });
  return text;
}

void note_stay(Peer& peer, bool evicted, Nanos now) {
  peer.removed_at = now;
  if (now - peer.admitted_at >= kShortStay)
    peer.short_stays = 0;
  else if (evicted)
    ++peer.short_stays;
}

class Fnv1a {
 public:
  void add(uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) {
      state_ ^= value >> shift & 0xff;
      state_ *= 0x100000001b3u;
    }
  }
  [[nodiscard]] uint64_t value() const { return state_; }

 private:
  uint64_t state_ = 0xcbf29ce484222325u;
};

}  // namespace

std::vector<MemberOffer> Host::members_offers(HostSet members) const {
  std::vector<MemberOffer> offers;
  bool somebody_hears_clients = false;
  for_each_host(members, [&](HostId id) {
    MemberOffer offer;
    offer.id = id;
    const bool own = id == settings_.id;
    const auto& heartbeat = peers_[id].heartbeat;
    offer.offers = own ? settings_.offers : heartbeat.offers;
    const bool draining = own ? state_ == HostState::draining : heartbeat.state == HostState::draining;
    const bool deaf = own ? rx_filtered_ : (heartbeat.flags & wire::kUnhealthy) != 0;
    if (planted(Bug::offer_misread) && own && offer.offers[0] > 0) --offer.offers[0];
    offer.takes_new_flows = !draining && !deaf;
    offer.service = own ? settings_.service : service_of(heartbeat);
    somebody_hears_clients = somebody_hears_clients || !deaf;
    offers.push_back(offer);
  });
  if (somebody_hears_clients) return offers;
  for (auto& offer : offers) {  // true of all: the view stays as it is
    const auto& state = offer.id == settings_.id ? state_ : peers_[offer.id].heartbeat.state;
    offer.takes_new_flows = state != HostState::draining;
  }
  return offers;
}

uint64_t Host::content_digest(HostSet members) const {
  Fnv1a digest;
  for (const MemberOffer& offer : members_offers(members)) {
    digest.add(offer.id);
    digest.add(offer.id == settings_.id ? settings_.incarnation : peers_[offer.id].incarnation);
    digest.add(static_cast<uint64_t>(offer.service) << 1 | (offer.takes_new_flows ? 1 : 0));
    for (uint8_t byte : offer.offers) digest.add(byte);
  }
  return digest.value();
}

SlotTables Host::compute_tables(HostSet members) const {
  const auto offers = members_offers(members);
  SlotTables tables(kMaxSlots);
  for (std::size_t slot : ownership_.slots()) {
    tables[slot] = owners_of_slot(slot, settings_.rules, offers);
    if (planted(Bug::bucket_forgotten)) tables[slot][7] = 0;
    if (planted(Bug::default_host_is_me) && slot == kDefaultSlot) tables[slot].fill(settings_.id);
  }
  return tables;
}

uint32_t Host::highest_number_seen() const {
  uint32_t highest = view_.number;
  for (const Peer& peer : peers_)
    if (peer.believed) highest = std::max(highest, peer.heartbeat.view);
  return highest;
}

// Members that were silent since it began would have been evicted by now.
bool Host::view_is_stuck(Nanos now, const Circle& circle) const {
  const bool forming = phase_ == Phase::seen || phase_ == Phase::released;
  return forming && now - view_started_at_ >= 2 * silence_limit() && !all_members_at(Phase::seen, circle);
}

// Who hears nobody may be the one that is cut off, with its link up: then it reaches no client either. The
// gateway tells. It is asked while nobody else can, and its answer counts for D.
void Host::ask_gateway(Nanos now, const Circle& circle) {
  if (settings_.gateway.is_unspecified() || !bound_ || !carrier_ || circle.mutual != 0 || !self().active) {
    gateway_asked_since_ = 0;
    gateway_missed_ = false;
    return;
  }
  if (gateway_asked_since_ == 0) gateway_asked_since_ = now;
  if (now >= next_gateway_probe_) {
    constexpr MacAddress everyone{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    out_.probes.push_back({0, settings_.gateway, everyone});
    next_gateway_probe_ = now + std::max(period(), silence_limit() / kGatewayProbes);
  }
  const bool missed = now - gateway_asked_since_ >= silence_limit() && !gateway_answers(now);
  if (missed && !gateway_missed_)
    note(Notice::Kind::gateway_silent, 0,
         "no other host is heard, and the gateway " + settings_.gateway.text() +
             " does not answer: this host may be the one that is cut off, and serves nobody");
  gateway_missed_ = missed;
}

bool Host::gateway_answers(Nanos now) const {
  return settings_.gateway.is_unspecified() || planted(Bug::gateway_unasked) ||
         (gateway_answered_at_ != 0 && now - gateway_answered_at_ < silence_limit());
}

// Whoever falls out again and again, because losses show it another picture with every frame, lets a period
// pass before it joins: so views do not come and go at the rate of frames.
void Host::fall_out(const std::string& cause, Nanos now) {
  if (phase_ == Phase::none) return;
  if (fell_out_at_ != 0 && now - fell_out_at_ < silence_limit()) stays_out_until_ = now + period();
  fell_out_at_ = now;
  go_alone(cause);
}

HostSet Host::in_no_view(const Circle& circle) const {
  HostSet outside = phase_ == Phase::none ? bit_of(settings_.id) : HostSet{0};
  for_each_host(circle.heard, [&](HostId id) {
    if (!in_a_view(peers_[id].heartbeat)) outside |= bit_of(id);
  });
  return outside;
}

// Who is in no view does not know who came before it: to it all come, and those in a view let it in. While a
// change of the configuration is under way all are away for a moment, and nobody serves: not for longer.
void Host::note_arrivals(Nanos now, const Circle& circle) {
  const bool takes_part = self().active;
  const HostSet present = takes_part ? (circle.heard & circle.compatible) | bit_of(settings_.id) : 0;
  HostSet come = phase_ == Phase::none ? present : in_no_view(circle);
  if (now < change_expected_until_) come = 0;
  arrivals_.see(present, come, now, period());
}

void Host::settle_view(Nanos now, const Circle& circle) {
  if (planted(Bug::settles_never) && phase_ == Phase::acquired) return;
  if (shut_out_by_a_peer(circle)) return fall_out("the others have formed a view without this host", now);
  if (std::popcount(view_.members) == 1 && others_share_a_view_with_a_namesake(circle))
    return fall_out("the others share a view with another machine that has this host's id", now);
  if (gateway_missed_ && std::popcount(view_.members) == 1 && phase_ != Phase::none)
    return go_alone("nobody is heard, and the gateway does not answer");
  if (waits_for_a_late_view(now, circle))
    return fall_out("a better view is heard, but its frames come too late", now);
  if (yields_to_a_better_view(circle) && ownership_.owns_anything()) {
    note(Notice::Kind::view_changed, 0, "owns nothing until it has joined the larger view in earshot");
    ownership_.clear();
    out_.states_changed = true;
  }
  Self me = self();
  me.view_is_stuck = view_is_stuck(now, circle);
  if (arrivals_.more_expected(now, period(), silence_limit())) me.put_off = in_no_view(circle);
  const HostSet wanted = wanted_members(me, peers_, circle, now, period());
  if (!(wanted & bit_of(settings_.id)) && waits_for_newcomers(wanted)) return;
  if (!(wanted & bit_of(settings_.id)))
    return fall_out("the others do not hear this host, or not all of them do", now);
  if (phase_ == Phase::none && now < stays_out_until_) return;
  if (wanted == bit_of(settings_.id) && std::popcount(view_.members) == 1 && phase_ == Phase::none &&
      (me.put_off != 0 || !may_serve_alone(now, circle)))
    return;  // still listening

  if (!digest_known_ || digest_members_ != wanted) {
    digest_ = content_digest(wanted);
    digest_members_ = wanted;
    digest_known_ = true;
  }
  const uint64_t digest = digest_;
  uint32_t stated = 0;  // the highest number under which somebody states this very view
  bool readmits = false;
  for_each_host(wanted, [&](HostId id) {
    if (id == settings_.id) return;
    const Peer& peer = peers_[id];
    if ((circle.heard & bit_of(id)) && peer.heartbeat.view_digest == digest &&
        peer.heartbeat.view_members == wanted)
      stated = std::max(stated, peer.heartbeat.view);
    // Frames that have waited for this host come all at once, and old and new ones contradict each other.
    const bool is_back =
        peer.accused && (circle.mutual & bit_of(id)) != 0 && now - peer.accused_at >= period();
    readmits = readmits || (is_back && !planted(Bug::accused_for_ever));
  });
  const bool same = wanted == view_.members && digest == view_.digest && phase_ != Phase::none;
  readmits = readmits || renew_view_;
  renew_view_ = false;
  if (same && !readmits) {
    if (stated > view_.number) start_view(stated, wanted, digest, now);
    return;
  }
  if (had_to_lapse_beside(wanted, circle)) ownership_.clear();
  // Held lists are told apart by the view's number: never two views of one number here.
  const bool join_theirs = stated > view_.number && !std::exchange(set_back_, false);
  start_view(join_theirs ? stated : highest_number_seen() + 1, wanted, digest, now);
}

// Why a view with the same members is another one.
std::string Host::changed_offers_text(HostSet before, HostSet members) const {
  std::string text;
  if (before != members) return text;
  for (const MemberOffer& offer : members_offers(members)) {
    const auto former = std::find_if(agreed_offers_.begin(), agreed_offers_.end(),
                                     [&](const MemberOffer& other) { return other.id == offer.id; });
    if (former == agreed_offers_.end()) continue;
    const bool same = former->takes_new_flows == offer.takes_new_flows;
    if (same && former->offers == offer.offers && former->service == offer.service) continue;
    const auto health = changed_health_text(*former, offer);
    text += (text.empty() ? " (host " : ", host ") + std::to_string(offer.id) +
            (!health.empty()         ? health
             : same                  ? " offers other weights or priorities"
             : offer.takes_new_flows ? " takes new connections again"
                                     : " takes no new connections");
  }
  return text.empty() ? text : text + ")";
}

void Host::start_view(uint32_t number, HostSet members, uint64_t digest, Nanos now) {
  const HostSet before = view_.members;
  times_resumed_ = first_generation_ = 0;
  note_departures(before, members, now);
  note_left_behind(before, members, now);
  if (now >= lease_) let_lapse();  // others may own it since; a new lease must not bring it back
  former_view_ = view_;
  view_ = {number, members, digest};
  if (phase_ == Phase::none) {
    first_view_ = number;
    came_into_view_at_ = now;
  }
  phase_ = Phase::seen;
  view_started_at_ = now;
  arrivals_.view_begins(now);
  ++scan_token_;  // an older scan answers for an older view
  scan_pending_ = false;
  held_generation_ = 0;
  release_begun_ = false;
  held_parts_.clear();
  forget_kept_list();
  for_each_host(members, [&](HostId id) {
    Peer& peer = peers_[id];
    const bool readmitted = peer.mutual_since != 0 && peer.accused_in_view < number;
    if (readmitted && !planted(Bug::accused_for_ever)) peer.accused = false;
  });
  apply(HostEvent::diverged, "view " + std::to_string(number));
  note(Notice::Kind::view_changed, 0,
       "view " + std::to_string(number) + " with hosts " + members_text(members) +
           changed_offers_text(before, members));
  agreed_offers_ = members_offers(members);
  out_.states_changed = true;
  say_soon_ = true;
}

// Out of every view: owns nothing, holds what has a socket, waits to be admitted.
void Host::go_alone(const std::string& cause) {
  const bool was_in_one = phase_ != Phase::none;
  outsiders_ |= view_.members & ~bit_of(settings_.id);
  view_.members = bit_of(settings_.id);
  view_.digest = 0;
  phase_ = Phase::none;
  came_to_serve_ = false;
  ownership_.clear();
  ++scan_token_;
  scan_pending_ = false;
  held_generation_ = 0;
  release_begun_ = false;
  held_parts_.clear();
  forget_kept_list();
  keeper_.let_go_of_all();
  lapsed_.clear();
  if (lease_ != 0) out_.lease = lease_ = 0;
  out_.states_changed = true;
  if (!was_in_one) return;
  say_soon_ = true;
  note(Notice::Kind::view_changed, 0, "in no view: " + cause);
  apply(HostEvent::diverged, cause);
}

// Members that vanish without handing over may have a living kernel with living connections: ghosts.
void Host::note_departures(HostSet before, HostSet after, Nanos now) {
  for_each_host(after & ~before, [&](HostId id) {
    if (id == settings_.id) return;
    peers_[id].admitted_at = now;
    note(Notice::Kind::peer_joined, id, "joins");
  });
  for_each_host(before & ~after, [&](HostId id) {
    const Peer& peer = peers_[id];
    const bool left = (peer.heartbeat.flags & wire::kLeaving) != 0 || peer.heartbeat.phase == 0;
    const bool restarting = (peer.heartbeat.flags & wire::kRestarting) != 0;
    note(left ? Notice::Kind::peer_left : Notice::Kind::peer_evicted, id,
         restarting ? "restarts"
         : left     ? "left"
                    : "evicted");
    note_stay(peers_[id], !left, now);
    if (!left) not_heard_since_evicted_ |= bit_of(id);
    if (!left || restarting) remember_ghost(id, true, now);
  });
}

bool Host::all_members_at(Phase phase, const Circle& circle) const {
  bool all = true;
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId id) {
    const auto& heartbeat = peers_[id].heartbeat;
    const bool of_this = heartbeat.view == view_.number && heartbeat.view_digest == view_.digest;
    const bool stated =
        (of_this || planted(Bug::any_view_counts)) && heartbeat.phase >= static_cast<uint8_t>(phase);
    if ((circle.heard & bit_of(id)) && stated) return;
    bool relayed = false;  // not heard here, but by a neighbour in this same view
    if (!(circle.heard & bit_of(id))) {
      for_each_host(view_.members & circle.heard & ~bit_of(id), [&](HostId neighbour) {
        const auto& theirs = peers_[neighbour].heartbeat;
        const auto* report = report_of(theirs, id);
        if (theirs.view == view_.number && theirs.view_digest == view_.digest && report != nullptr &&
            report->view == view_.number && report->phase >= static_cast<uint8_t>(phase))
          relayed = true;
      });
    }
    all = all && relayed;
  });
  return all;
}

void Host::advance_phase(Nanos now, const Circle& circle) {
  if (planted(Bug::release_never)) return;
  if (phase_ == Phase::seen && !release_begun_ && all_members_at(Phase::seen, circle)) {
    // Whoever has not heard of the one that is left behind would acquire what that still owns.
    if (awaits_visits() || somebody_left_behind_owns(now, circle)) return;
    release(now);
  }
  const bool released = all_members_at(Phase::released, circle) || planted(Bug::skip_release);
  if (phase_ == Phase::released && released) {
    if (std::popcount(view_.members) == 1 && !may_serve_alone(now, circle)) return;
    // A better one that was not waited for may have begun as well; it is heard of by then, and ours given up.
    if (late_and_better(circle) != 0 && now - view_started_at_ < silence_limit()) return;
    if (yields_to_a_better_view(circle) || somebody_left_behind_owns(now, circle) || a_rival_serves(now) ||
        somebody_may_begin_beside_us(now, circle))
      return;
    if (!kept_lists_complete() || waits_for_owners(circle)) return;
    acquire(now);
  }
}

// What is lost is closed before this is said; the held list follows when the socket table has been read.
// Until then the peers take everything for held, so the walk does not lengthen the time in which nobody
// accepts.
void Host::release(Nanos now) {
  release_begun_ = true;
  phase_ = Phase::released;
  say_soon_ = true;
  next_tables_ = compute_tables(view_.members);
  begin_keeping(now);
  if (!planted(Bug::keep_at_release)) ownership_.shrink_to(tables_with_own_kept(), settings_.id);
  out_.states_changed = true;
  ask_for_scan();
  next_scan_ = now + kSecond;
}

void Host::acquire(Nanos now) {
  tables_ = tables_with_kept();
  kept_changed_ = false;
  lapsed_.clear();
  ownership_.acquire(tables_, settings_.id);
  phase_ = Phase::acquired;
  came_to_serve_ = true;
  out_.states_changed = true;
  say_soon_ = true;
  apply(HostEvent::converged, "view " + std::to_string(view_.number));
  note(Notice::Kind::converged, 0,
       "view " + std::to_string(view_.number) + " with hosts " + members_text(view_.members) + " after " +
           std::to_string((now - view_started_at_) / kMillisecond) + " ms");
  out_.notices.back().as_default = default_host() == settings_.id;
  bool somebody = false;
  for (const auto& offer : members_offers(view_.members)) somebody = somebody || offer.takes_new_flows;
  if (!somebody && !nobody_owns_said_) note(Notice::Kind::nobody_owns, 0, "no member takes new flows");
  nobody_owns_said_ = !somebody;
  tell_unserved();
  tell_duplicate_priorities();
}

}  // namespace nlb::core
