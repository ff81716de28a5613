// SPDX-License-Identifier: Apache-2.0
// Commands, time and the state of a host. Every entry point does its own bit and then evaluates the whole
// picture anew: membership, phase, lease and states are functions of what is known, not of the path that led
// there.
#include "core/host.hh"

#include <algorithm>
#include <bit>
#include <limits>

namespace nlb::core {
namespace {

constexpr Nanos kRescanPeriod = kSecond;  // how often held buckets are looked at again
constexpr Nanos kDrainScanPeriod = kSecond / 4;

}  // namespace

Host::Host(Settings settings, Nanos now)
    : settings_(std::move(settings)),
      listening_since_(now),
      ownership_(slots_in_use(settings_.rules.size())),
      tables_(kMaxSlots),
      next_tables_(kMaxSlots),
      held_published_(kMaxSlots),
      keeper_(settings_.rules, kSecond * settings_.max_hold_s),
      next_tick_(now),
      unproven_owners_(silence_limit(), period()) {
  view_.members = bit_of(settings_.id);
}

Self Host::self() const {
  return {.id = settings_.id,
          .incarnation = settings_.incarnation,
          .active = is_active(state_) && bound_ && carrier_ && !aside_,
          .view = view_.number,
          .view_members = view_.members,
          .digests = settings_.digests};
}

void Host::note(Notice::Kind kind, HostId peer, std::string text) {
  out_.notices.push_back({kind, peer, std::move(text), view_.number, view_.members, false});
}

// The one place that writes state_.
void Host::apply(HostEvent event, const std::string& cause) {
  const auto next = next_state(state_, event);
  if (!next || *next == state_) return;
  const HostState before = state_;
  state_ = *next;
  digest_known_ = false;
  note(Notice::Kind::state_changed, 0,
       std::string(name_of(before)) + " -> " + std::string(name_of(state_)) + " (" + cause + ")");
  say_soon_ = true;
}

Actions Host::command(HostEvent event, Nanos now, Nanos drain_timeout) {
  const bool was_active = is_active(state_);
  apply(event, "command " + std::string(name_of(event)));
  if (state_ == HostState::draining) {
    drain_deadline_ = drain_timeout > 0 ? now + drain_timeout : 0;
    next_scan_ = now;
  }
  if (was_active && !is_active(state_)) go_alone("this host is " + std::string(name_of(state_)));
  if (!was_active && is_active(state_)) listening_since_ = now;
  if (is_active(state_) && !bound_ && !bind_refusal_.empty()) refuse_to_take_part(bind_refusal_);
  evaluate(now);
  return finish(now);
}

Actions Host::on_bind(bool bound, const std::string& reason, Nanos now) {
  if (bound && !bound_) listening_since_ = now;
  bound_ = bound;
  bind_refusal_ = bound ? "" : reason;
  if (!bound && is_active(state_) && !reason.empty()) refuse_to_take_part(reason);
  evaluate(now);
  return finish(now);
}

void Host::refuse_to_take_part(const std::string& reason) {
  refused_because_ = reason;
  apply(HostEvent::refused, reason);
  go_alone(reason);
}

Actions Host::on_dedicated_address(const IpAddress& address, Nanos now) {
  settings_.dedicated_ip = address;
  say_soon_ = true;
  return finish(now);
}

Actions Host::on_gateway(const IpAddress& address, Nanos now) {
  if (!(address == settings_.gateway)) gateway_answered_at_ = 0;
  settings_.gateway = address;
  return finish(now);
}

Actions Host::on_holds(uint16_t restart_hold_s, uint32_t max_hold_s, Nanos now) {
  settings_.restart_hold_s = restart_hold_s;
  settings_.max_hold_s = max_hold_s;
  keeper_.keep_at_most(kSecond * max_hold_s);
  return finish(now);
}

Actions Host::on_adapter_mac(const MacAddress& mac, Nanos now) {
  settings_.adapter_mac = mac;
  say_soon_ = true;
  return finish(now);
}

// Without a carrier it states no view (self().active): when the link is back, one of this host alone may be
// the better one, and whoever served meanwhile would wait for it. And what it saw was its own link flap: who
// held the others down for that would begin a view without one of them, and the rest might follow.
Actions Host::on_carrier(bool carrier, Nanos now) {
  if (carrier_ && !carrier) {
    carrier_ = false;
    for (Peer& peer : peers_) peer.short_stays = 0;
    go_alone("carrier lost");
  } else if (!carrier_ && carrier) {
    carrier_ = true;
    listening_since_ = now;
  }
  evaluate(now);
  return finish(now);
}

Actions Host::on_frame(const wire::Frame& frame, Nanos now) {
  if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&frame)) {
    const bool nothing_new = quiet_ && says_the_same(*heartbeat);
    hear(*heartbeat, now);
    notice_standstill(now);
    if (nothing_new && phase_ == Phase::acquired) {
      renew_lease(now, Circle{});
      return finish(now);
    }
  } else if (const auto* part = std::get_if<wire::HeldPart>(&frame)) {
    hear_held(*part, now);
  }
  evaluate(now);
  return finish(now);
}

// Who replays one of the last few copies makes believe that the path of clients works, no more.
Actions Host::on_copy(const wire::Frame& frame, Nanos now) {
  constexpr uint64_t kOvertakenBy = 8;
  const auto* copy = std::get_if<wire::Heartbeat>(&frame);
  if (copy == nullptr || copy->header.sender > kMaxHosts) return on_frame(frame, now);
  const Peer& peer = peers_[copy->header.sender];
  const uint64_t sequence = copy->header.sequence;
  const bool overtaken = peer.believed && !peer.resumed && peer.incarnation == copy->header.incarnation &&
                         sequence <= peer.sequence && peer.sequence - sequence < kOvertakenBy;
  if (!overtaken) return on_frame(frame, now);
  if (copy->flags & wire::kToClusterMac) heard_by_cluster_mac_at_ = now;
  return finish(now);
}

Actions Host::on_tick(Nanos now) {
  notice_standstill(now);
  // "A daemon whose own turn came more than two periods late counts itself as the failed one."
  if (now - next_tick_ > 2 * period()) {
    note(Notice::Kind::daemon_late, 0,
         "own turn came " + std::to_string((now - next_tick_) / kMillisecond) + " ms late");
    for (Peer& peer : peers_) {
      if (!peer.believed || next_tick_ - peer.heard_at >= silence_limit()) continue;
      peer.heard_at = std::max(peer.heard_at, now);
      const bool prompt = peer.prompt_at != 0 && next_tick_ - peer.prompt_at < silence_limit();
      if (prompt) peer.prompt_at = std::max(peer.prompt_at, now);
    }
  }
  const bool periodic = now >= next_tick_;  // else a member's silence has become too long
  if (periodic) {
    next_tick_ = now + period();
    ++ticks_;
    say_soon_ = true;
  }
  evaluate(now);
  if (say_soon_ && ticks_ % 2 == 0) say(Send::To::cluster_mac, {}, wire::kToClusterMac, now);
  if (periodic) {
    ask_the_quiet(now);
    if (ticks_ % 2 == 0) say_held(now);
    if (ticks_ % 2 == 0 || phase_ == Phase::released) say_kept(now);
  }
  return finish(now);
}

Actions Host::on_scan(uint32_t token, const SlotBuckets& live, uint64_t connections, Nanos now) {
  if (token != scan_token_) return finish(now);  // a later scan is under way
  scan_pending_ = false;
  if (closed_before_scan_ != ownership_.times_forgotten()) {
    next_scan_ = now;
    evaluate(now);
    return finish(now);
  }
  ownership_.set_live(live);
  publish_held();
  if (state_ == HostState::draining) {
    const bool ended = connections == 0 || (drain_deadline_ != 0 && now >= drain_deadline_);
    if (ended && (phase_ == Phase::acquired || connections == 0)) {
      note(Notice::Kind::drained, 0,
           connections == 0 ? "no connection is left" : "the time for draining is over");
      apply(HostEvent::stop, "drained");
      go_alone("drained");
    }
  }
  evaluate(now);
  return finish(now);
}

// After the states are written, so that it finds whatever was accepted before they closed.
void Host::ask_for_scan() {
  out_.scan = ++scan_token_;
  scan_pending_ = true;
  closed_before_scan_ = ownership_.times_forgotten();
}

Actions Host::on_scan_failed(uint32_t token, Nanos now) {
  if (token == scan_token_) {
    scan_pending_ = false;
    next_scan_ = now + period();
  }
  evaluate(now);
  return finish(now);
}

Actions Host::on_offers(const std::array<uint8_t, kMaxRules>& offers, Service service, Nanos now) {
  settings_.offers = offers;
  settings_.service = service;
  digest_known_ = false;
  say_soon_ = true;
  evaluate(now);
  return finish(now);
}

Actions Host::set_aside(Nanos now) {
  go_alone("new configuration");
  aside_ = true;
  evaluate(now);
  return finish(now);
}

Actions Host::expect_change(bool expected, Nanos now) {
  constexpr Nanos kForEver = std::numeric_limits<Nanos>::max();
  if (expected)
    change_expected_until_ = kForEver;
  else if (change_expected_until_ == kForEver)  // given up; after reconfigure() it ends by itself
    change_expected_until_ = 0;
  evaluate(now);
  return finish(now);
}

Actions Host::reconfigure(const Settings& settings, Nanos now) {
  go_alone("new configuration");
  aside_ = false;
  if (change_expected_until_ != 0) change_expected_until_ = now + silence_limit();
  differs_since_ = 0;
  const uint64_t incarnation = settings_.incarnation;  // the same life of the same daemon
  settings_ = settings;
  digest_known_ = false;
  settings_.incarnation = incarnation;
  ownership_ = Ownership(slots_in_use(settings_.rules.size()));
  keeper_ = Keeper(settings_.rules, kSecond * settings_.max_hold_s);
  unproven_owners_ = UnprovenOwners(silence_limit(), period());
  all_unhealthy_said_.reset();
  clash_said_ = {};
  for (auto* ghosts : {&ghosts_, &gone_})  // what they hold has other places now: it may be anywhere
    for (auto& [mac, ghost] : *ghosts)
      for (std::size_t slot : ownership_.slots()) ghost.buckets[slot].set();
  listening_since_ = now;
  out_.states_changed = true;
  if (state_ == HostState::refused) {
    refused_because_.clear();
    apply(HostEvent::cleared, "new configuration");
  }
  evaluate(now);
  return finish(now);
}

Actions Host::leave_for_restart(Nanos now) {
  restarting_ = true;
  go_alone("planned restart");
  for (int copy = 0; copy < 3; ++copy) say(Send::To::group, {}, wire::kRestarting | wire::kLeaving, now);
  say_soon_ = false;
  return finish(now);
}

// Others cannot have evicted this host within D of its last turn, when it last spoke. After that they may own
// what it owned; a fresh echo of one of them must not give its lease new life. D is shortened for clocks that
// are slewed.
void Host::notice_standstill(Nanos now) {
  const Nanos last_turn = next_tick_ - period();
  if (phase_ == Phase::none || standstill_after_ == last_turn) return;
  if (now - last_turn < silence_limit() * 9 / 10) return;
  standstill_after_ = last_turn;
  listening_since_ = now;
  go_alone("this host stood still for " + std::to_string((now - last_turn) / kMillisecond) + " ms");
}

void Host::evaluate(Nanos now) {
  notice_standstill(now);
  const Circle circle = circle_of(self(), peers_, now, silence_limit());
  for_each_host(peers_.heard_of, [&](HostId id) {
    Peer& peer = peers_[id];
    const bool mutual = (circle.mutual & bit_of(id)) != 0;
    if (!mutual) peer.mutual_since = 0;
    if (mutual && peer.mutual_since == 0) peer.mutual_since = now;
  });
  accuse(now);
  judge_refusal(now, circle);
  name_the_different(now, circle);
  judge_reception(now, circle);
  ask_gateway(now, circle);
  ask_unproven_owners(now);
  note_arrivals(now, circle);
  if (self().active) {
    settle_view(now, circle);
    advance_phase(now, circle);
    settle_kept();
  }
  look_for_outsiders(now, circle);
  tend_ghosts(now);
  ask_the_gone(now);
  renew_lease(now, circle);
  const bool unanswered = release_begun_ && held_generation_ == 0;
  const bool look =
      unanswered || held_is_renewed_ || state_ == HostState::draining || ownership_.holds_anything();
  const bool look_for_idle = look_for_clients(now);
  if ((look && !scan_pending_ && now >= next_scan_) || look_for_idle) ask_for_scan();
  if (scan_pending_ && out_.scan)
    next_scan_ = now + (state_ == HostState::draining ? kDrainScanPeriod : kRescanPeriod);
  quiet_ = is_quiet(circle);
}

// The whole cluster is settled: until somebody says something new, or a tick finds somebody silent, the
// picture stays as it is.
bool Host::is_quiet(const Circle& circle) const {
  const HostSet others = view_.members & ~bit_of(settings_.id);
  bool accused = false;
  for_each_host(others, [&](HostId id) { accused = accused || peers_[id].accused; });
  const bool scanned = !scan_pending_ && held_generation_ != 0 && !ownership_.holds_anything();
  return others != 0 && phase_ == Phase::acquired && state_ == HostState::converged && scanned && !accused &&
         ghosts_.empty() && !namesakes_.any() && circle.heard == others && circle.mutual == others &&
         circle.compatible == others;
}

// A member that is heard and lists this host no more has heard nothing of it for D: it is as far away as one
// that is silent, and while it stays in the view nobody has its share.
void Host::accuse(Nanos now) {
  if (now - next_tick_ > 2 * period())
    return;  // this host was away: on_tick() restarts the silence timers first
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId id) {
    Peer& peer = peers_[id];
    const bool silent = now - peer.heard_at >= silence_limit();
    const bool deaf = peer.believed && peer.mutual_since == 0;
    if (peer.accused || (!silent && !deaf)) return;
    peer.accuse(view_.number, now);
    say_soon_ = true;
    note(Notice::Kind::peer_silent, id,
         (silent ? "nothing heard for " : "is heard, but has heard nothing of this host for ") +
             std::to_string(silence_limit() / kMillisecond) + " ms");
  });
}

// Said here too, once a peer: both sides name the other and the item.
void Host::name_the_different(Nanos now, const Circle& circle) {
  if (now < change_expected_until_) return;
  HostSet named = 0;
  for_each_host(circle.heard, [&](HostId id) {
    const Peer& peer = peers_[id];
    const char* item = differing_item(settings_.digests, peer.heartbeat.digests);
    const bool takes_part = is_active(peer.heartbeat.state) || peer.heartbeat.state == HostState::refused;
    if (item == nullptr || !takes_part) return;
    named |= bit_of(id);
    if (!(mismatch_named_ & bit_of(id)))
      note(Notice::Kind::config_mismatch, id,
           std::string(item) + " differs from ours: it does not share our view");
  });
  mismatch_named_ = named;
}

// The others have a configuration that is expected here, or still one that this host has just left behind: it
// owns nothing meanwhile, as if refused, but is not. For D at most.
bool Host::awaits_the_others_configuration(Nanos now, HostId differs) {
  if (differs_since_ == 0) differs_since_ = now;
  if (now >= change_expected_until_ || now - differs_since_ >= silence_limit()) return false;
  if (state_ == HostState::refused) return false;
  listening_since_ = now;
  go_alone("host " + std::to_string(differs) + " has another configuration, as is expected at the moment");
  return true;
}

// A host of a group that goes on in our stead, or 0.
HostId Host::better_than_us(HostSet others) const {
  const HostId other = better_group_than_ours(self(), peers_, others);
  const bool serves = phase_ == Phase::acquired;
  return other == 0 && serves ? better_server_than_ours(self(), peers_, others) : other;
}

void Host::judge_refusal(Nanos now, const Circle& circle) {
  if (namesake_ && now - namesake_->heard_at >= silence_limit()) namesake_.reset();
  if (candidate_to_list(settings_.id, now) == nullptr) namesakes_.reset();
  std::string reason;
  // Who is refused leaves its id to a namesake in earshot, and others list that one instead.
  const bool is_listed_no_more = state_ == HostState::refused && namesakes_.any();
  const HostSet others = is_listed_no_more ? circle.heard : circle.answering;
  const bool gives_way = namesake_ && namesake_wins_;
  if (gives_way) {
    reason = "host id " + std::to_string(settings_.id) + " is in use by another host";
  } else if (const HostId other = better_than_us(others); other != 0) {
    const char* item = differing_item(settings_.digests, peers_[other].heartbeat.digests);
    reason = std::string(item) + " differs from that of host " + std::to_string(other);
    if (awaits_the_others_configuration(now, other)) return;
  } else {
    differs_since_ = 0;
  }
  // Groups of which each hears another part may refuse each other in turn: not at the rate of frames.
  const bool refused_here = state_ == HostState::refused && bound_ && now >= stays_refused_until_;
  if (!reason.empty() && is_active(state_)) {
    if (refused_at_ != 0 && now - refused_at_ < silence_limit()) stays_refused_until_ = now + period();
    refused_at_ = now;
    note(gives_way ? Notice::Kind::duplicate_id : Notice::Kind::config_mismatch, 0, reason);
    refuse_to_take_part(reason);
  } else if (reason.empty() && refused_here) {
    refused_because_.clear();
    apply(HostEvent::cleared, "the reason for the refusal is gone");
    listening_since_ = now;
  }
}

// Hears peers, but never by the cluster MAC: frames for clients do not get in here, so take none.
void Host::judge_reception(Nanos now, const Circle& circle) {
  if (circle.mutual == 0) company_since_ = 0;
  if (circle.mutual != 0 && company_since_ == 0) company_since_ = now;
  const bool filtered = company_since_ != 0 && now - company_since_ >= 2 * silence_limit() &&
                        now - heard_by_cluster_mac_at_ >= 2 * silence_limit();
  if (filtered != rx_filtered_) {
    rx_filtered_ = filtered;
    digest_known_ = false;
    say_soon_ = true;
    note(filtered ? Notice::Kind::rx_filtered : Notice::Kind::rx_heard, 0,
         filtered ? "peers are heard, but nothing sent to the cluster MAC arrives"
                  : "the cluster MAC is heard again");
  }
}

// q accusers evict: 2, or 1 in a view of two. The lease ends at s + L, where s is the q-th oldest among the
// newest of our sends that each other member has echoed, counted from before the send: no q members can have
// been silent for D before that.
void Host::renew_lease(Nanos now, const Circle& circle) {
  if (!ownership_.owns_anything()) {
    if (lease_ != 0) out_.lease = lease_ = 0;
    return;
  }
  Nanos oldest = 0, second = 0;  // of the newest echoed sends, member by member
  int members = 0;
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId id) {
    const Nanos echoed = peers_[id].echoed_send;
    if (members == 0 || echoed < oldest) {
      second = oldest;
      oldest = echoed;
    } else if (members == 1 || echoed < second) {
      second = echoed;
    }
    ++members;
  });
  Nanos from = members == 1 ? oldest : second;
  if (members == 0) from = may_serve_alone(now, circle) ? now : 0;
  if (from == 0 || from + lease_length() <= lease_) return;
  if (planted(Bug::lease_not_renewed) && lease_ != 0) return;
  lease_ = from + lease_length();
  out_.lease = lease_;
}

Actions Host::finish(Nanos now) {
  if (say_soon_) say(Send::To::group, {}, 0, now);
  say_soon_ = false;
  if (kept_is_new_) say_kept(now);
  Actions actions = std::move(out_);
  out_ = {};
  return actions;
}

Nanos Host::next_wakeup() const {
  Nanos at = next_tick_;
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId id) {
    const Peer& peer = peers_[id];  // the moment a member's silence becomes too long
    if (!peer.accused) at = std::min(at, peer.heard_at + silence_limit());
  });
  return at;
}

HostId Host::default_host() const {
  const auto members = members_offers(view_.members);
  return phase_ == Phase::acquired ? core::default_host(members) : HostId{0};
}

bool Host::checks_all() const {
  if (planted(Bug::checks_too_little)) return false;
  if (phase_ != Phase::acquired || outsider_heard_) return true;
  bool incomplete = false;
  for_each_host(view_.members & ~bit_of(settings_.id),
                [&](HostId id) { incomplete = incomplete || !held_complete(peers_[id]); });
  return incomplete;
}

BucketSet Host::held_by_others(std::size_t slot) const {
  BucketSet held;
  if (planted(Bug::holds_not_kept)) return held;
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId id) {
    const Peer& peer = peers_[id];
    const bool emptied = peer.heartbeat.view == view_.number && peer.heartbeat.held_generation != 0 &&
                         peer.heartbeat.held_parts == 0;
    const bool listed = peer.held.view == view_.number && !emptied;
    const bool expired = planted(Bug::holds_by_the_clock) && peer.heard_at > view_started_at_ + 2 * kSecond;
    if (!expired && listed && !peer.held.slots.empty()) held |= peer.held.slots[slot];
  });
  for (const auto& [mac, ghost] : ghosts_) held |= ghost.buckets[slot];
  return held;
}

FilterSets Host::filter_sets(std::size_t slot) const {
  return ownership_.filter_sets(slot, checks_all(), held_by_others(slot));
}

}  // namespace nlb::core
