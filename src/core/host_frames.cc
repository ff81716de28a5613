// SPDX-License-Identifier: Apache-2.0
// What a host hears and says. Receiver's rules: docs/protocol/heartbeat.md. A frame of an incarnation that is
// not believed yet counts for one thing only: that it was heard. It is believed once it echoes a recent frame
// of ours, which a replay cannot.
#include <algorithm>
#include <bit>

#include "core/host.hh"
#include "wire/codec.hh"

namespace nlb::core {
namespace {

uint32_t low(uint64_t value) {
  return static_cast<uint32_t>(value);
}

bool announces_end(const wire::Heartbeat& heartbeat) {
  return (heartbeat.flags & (wire::kLeaving | wire::kRestarting)) != 0;
}

void note_rival(Peer& peer, const wire::Heartbeat& heartbeat, Nanos now) {
  peer.rival_serves = in_a_view(heartbeat);
  if (may_hold_connections(heartbeat)) peer.rival_heard_at = now;
}

}  // namespace

std::optional<Nanos> Host::send_time(uint32_t sequence) const {
  for (auto it = sent_.rbegin(); it != sent_.rend(); ++it)
    if (low(it->first) == sequence) return it->second;
  return std::nullopt;
}

// What it says of this incarnation, under our id, by which a namesake lists us too; nullptr = nothing.
const wire::PeerReport* Host::report_of_us(const wire::Heartbeat& heartbeat) const {
  const auto* report = report_of(heartbeat, settings_.id);
  return report != nullptr && report->incarnation == low(settings_.incarnation) ? report : nullptr;
}

// Does it list us with a frame that was sent within D?
bool Host::echoes_us_freshly(const wire::Heartbeat& heartbeat, Nanos now) const {
  const auto* report = report_of_us(heartbeat);
  if (report == nullptr) return false;
  const auto sent = send_time(report->sequence);
  return sent && now - *sent < silence_limit();
}

// A namesake that lists this host: it is no record of an earlier life. Starved, it may answer after D.
bool Host::lives_beside_us(const wire::Heartbeat& heartbeat) const {
  const auto* report = report_of_us(heartbeat);
  return report != nullptr && send_time(report->sequence).has_value();
}

bool Host::believe_or_note_candidate(const wire::Heartbeat& heartbeat, Nanos now) {
  Peer& peer = peers_[heartbeat.header.sender];
  const uint64_t incarnation = heartbeat.header.incarnation;
  // A successor on the same adapter wrote lease 0 over that of the believed one. A namesake elsewhere did
  // not: what it says means nothing until the believed one's lease is over.
  const bool same_adapter = peer.heartbeat.adapter_mac == heartbeat.adapter_mac;
  const Nanos patience = same_adapter ? 2 * period() : silence_limit();
  const bool current_is_alive =
      peer.believed && now - peer.heard_at < patience && !announces_end(peer.heartbeat);
  const bool echoed = echoes_us_freshly(heartbeat, now) || planted(Bug::replay_believed);
  if (!current_is_alive && echoed) {
    const bool taken_over =
        peer.believed && !same_adapter && (view_.members & bit_of(peer.heartbeat.header.sender));
    if (taken_over) remember_ghost(peer.heartbeat.header.sender, true, now);  // another machine with its id
    Peer successor;
    successor.believed = true;
    successor.incarnation = incarnation;
    successor.accused_in_view = peer.accused_in_view;
    successor.rival_heard_at = peer.rival_heard_at;
    successor.rival_serves = peer.rival_serves;
    peer = std::move(successor);
    return true;
  }
  if (!echoed && !current_is_alive) unproven_owners_.note(heartbeat, now);
  if (!echoed) note_unechoed(peer, heartbeat.header.sender, now);
  if (echoed && !same_adapter) note_rival(peer, heartbeat, now);
  peer.candidates.note({incarnation, heartbeat.header.sequence, now}, silence_limit());
  refuse(wire::Refusal::stale_incarnation);
  return false;
}

// Its sender does not hear this host, or these are recordings: whoever serves here should know. Some come
// whenever a host starts, until it is heard.
void Host::note_unechoed(Peer& peer, HostId sender, Nanos now) {
  const Nanos patience = std::max(3 * kSecond, silence_limit() + 2 * period());
  const Nanos longest_break = std::max(kSecond, 3 * period());
  if (peer.unechoed_since == 0 || now - peer.unechoed_at > longest_break) peer.unechoed_since = now;
  peer.unechoed_at = now;
  const bool told = peer.unechoed_told_at != 0 && now - peer.unechoed_told_at < 60 * kSecond;
  if (told || !is_active(state_) || now - peer.unechoed_since < patience) return;
  peer.unechoed_told_at = now;
  const bool waits = !came_to_serve_ && unproven_owners_.answers(sender, now);
  note(Notice::Kind::echo_missing, sender,
       "is heard, and has echoed nothing of this host for " + std::to_string(patience / kSecond) + " s" +
           (waits ? "; it serves and its kernel answers, so this host does not serve beside it" : ""));
}

void Host::hear(const wire::Heartbeat& heartbeat, Nanos now) {
  const HostId sender = heartbeat.header.sender;
  peers_.heard_of |= bit_of(sender);
  if (sender == settings_.id) return hear_own_id(heartbeat, now);
  catch_up_with_own_echo(heartbeat, now);
  Peer& peer = peers_[sender];
  const bool known = peer.believed && peer.incarnation == heartbeat.header.incarnation;
  if (!known && !believe_or_note_candidate(heartbeat, now)) return;
  const bool cut_off = known && peer.fenced_at != 0;
  if (cut_off && !lives_though_fenced(peer, heartbeat)) return refuse(wire::Refusal::stale_incarnation);
  const bool old = known && heartbeat.header.sequence <= peer.sequence;
  if (old && !planted(Bug::sequence_ignored)) return refuse_old(peer, now);
  if (peer.resumed && !echoes_us_freshly(heartbeat, now)) return note_unproven(peer, heartbeat, now);
  if (peer.resumed) {
    peer.candidates.reset();
    came_to_serve_ = came_to_serve_ || phase_ == Phase::acquired;
  }
  peer.resumed = false;
  unproven_owners_.forget(sender);
  const bool same_flags = ((peer.heartbeat.flags ^ heartbeat.flags) & ~wire::kToClusterMac) == 0;
  const bool offers_same = known && peer.heartbeat.offers == heartbeat.offers &&
                           peer.heartbeat.state == heartbeat.state && same_flags;
  if (!offers_same) digest_known_ = false;
  const bool kept_changed = peer.heartbeat.kept_generation != heartbeat.kept_generation ||
                            peer.heartbeat.kept_parts != heartbeat.kept_parts;
  kept_changed_ = kept_changed_ || kept_changed;
  const bool changed = kept_changed || peer.heartbeat.view != heartbeat.view ||
                       peer.heartbeat.phase != heartbeat.phase ||
                       peer.heartbeat.held_generation != heartbeat.held_generation ||
                       peer.heartbeat.held_parts != heartbeat.held_parts;
  const bool is_new = !known || now - peer.heard_at >= silence_limit();
  // Whoever begins to serve beside our view may not have heard of it: the better view waits as well.
  const bool begins = is_new || peer.heartbeat.phase == 0;
  if (begins && in_a_view(heartbeat)) left_behind_until_[sender] = now + silence_limit();
  peer.sequence = heartbeat.header.sequence;
  peer.heard_at = now;
  peer.fenced_at = 0;
  peer.heartbeat = heartbeat;
  if (heartbeat.phase != 0) peer.in_no_view_since = 0;
  if (heartbeat.phase == 0 && peer.in_no_view_since == 0) peer.in_no_view_since = now;
  if (known) yield_to_the_unaware(heartbeat, now);
  not_heard_since_evicted_ &= ~bit_of(sender);
  take_echo(peer, heartbeat, now);
  if (heartbeat.flags & wire::kToClusterMac) heard_by_cluster_mac_at_ = now;
  if (heartbeat.flags & wire::kAsk) say(Send::To::peer, heartbeat.adapter_mac, 0, now);
  if (changed) out_.states_changed = true;
}

// Of a daemon that was in the view of the one before this one: a replay, or said before it could have heard
// this one. It is listed, so that it can prove that it lives.
void Host::note_unproven(Peer& peer, const wire::Heartbeat& heartbeat, Nanos now) {
  unproven_owners_.note(heartbeat, now);
  peer.candidates.note({peer.incarnation, heartbeat.header.sequence, now}, silence_limit());
  refuse(wire::Refusal::replayed);
}

// A replay, or a machine that was set back to a snapshot and numbers its frames anew from there. If so, and
// if it has been given up here, it has to learn how far it had come: it is listed with that number.
void Host::refuse_old(Peer& peer, Nanos now) {
  const HostId id = peer.heartbeat.header.sender;
  if (!(view_.members & bit_of(id)) && now - peer.heard_at >= silence_limit())
    peer.candidates.note({peer.incarnation, peer.sequence, now}, silence_limit());
  refuse(wire::Refusal::replayed);
}

// Others have heard from this incarnation what it has not said yet: the machine was set back to a snapshot.
// What it knows is of then, so it owns nothing; and it goes on with numbers that are new to the others. Taken
// also from whom it does not believe yet: no recorded frame can list what this host had not sent when it was
// recorded.
void Host::catch_up_with_own_echo(const wire::Heartbeat& heartbeat, Nanos now) {
  const auto* report = report_of_us(heartbeat);
  if (report == nullptr) return;
  if (wire::is_mere_accusation(*report)) return;
  const auto ahead = static_cast<int32_t>(report->sequence - low(sequence_));
  if (ahead <= 0) return;
  sequence_ += static_cast<uint32_t>(ahead);
  listening_since_ = now;
  say_soon_ = true;
  set_back_ = true;
  go_alone("this machine was set back to an earlier state");
}

// Most frames say again what the sender has said before: they are an echo and a sign of life, no more.
bool Host::says_the_same(const wire::Heartbeat& heartbeat) const {
  const HostId sender = heartbeat.header.sender;
  if (sender == settings_.id || !(view_.members & bit_of(sender))) return false;
  const Peer& peer = peers_[sender];
  const wire::Heartbeat& last = peer.heartbeat;
  const bool next = peer.believed && peer.incarnation == heartbeat.header.incarnation &&
                    heartbeat.header.sequence > peer.sequence && !(heartbeat.flags & wire::kAsk);
  const auto same_flags = static_cast<uint16_t>((last.flags ^ heartbeat.flags) & ~wire::kToClusterMac) == 0;
  if (!next || !same_flags || last.state != heartbeat.state || last.phase != heartbeat.phase ||
      last.view != heartbeat.view || last.view_members != heartbeat.view_members ||
      last.view_digest != heartbeat.view_digest || !(last.digests == heartbeat.digests) ||
      last.offer_generation != heartbeat.offer_generation || last.offers != heartbeat.offers ||
      last.held_generation != heartbeat.held_generation || last.held_parts != heartbeat.held_parts ||
      last.kept_generation != heartbeat.kept_generation || last.kept_parts != heartbeat.kept_parts ||
      last.hold_s != heartbeat.hold_s || !(last.dedicated_ip == heartbeat.dedicated_ip) ||
      !(last.adapter_mac == heartbeat.adapter_mac))
    return false;
  const auto same = [](const wire::PeerReport& a, const wire::PeerReport& b) {
    return a.id == b.id && a.phase == b.phase && a.accused == b.accused && a.incarnation == b.incarnation &&
           a.view == b.view && a.held_generation == b.held_generation &&
           a.kept_generation == b.kept_generation;
  };
  return std::equal(last.peers.begin(), last.peers.end(), heartbeat.peers.begin(), heartbeat.peers.end(),
                    same);
}

void Host::take_echo(Peer& peer, const wire::Heartbeat& heartbeat, Nanos now) {
  if (planted(Bug::echo_ignored)) peer.echoed_send = now;
  const auto* report = report_of_us(heartbeat);
  if (report == nullptr) return;
  const auto sent = send_time(report->sequence);
  if (sent && now - *sent < lease_length()) peer.prompt_at = now;
  if (report->accused || !sent) return;
  // Who states a later view, or one without us, may own what this host owns: his echo keeps nothing alive.
  const bool without_us = !(heartbeat.view_members & bit_of(settings_.id));
  if (heartbeat.phase != 0 && (heartbeat.view > view_.number || without_us)) return;
  peer.echoed_send = std::max(peer.echoed_send, planted(Bug::lease_from_reception) ? now : *sent);
}

// Another host with our id. The incumbent is not disturbed: more company, then the older incarnation, stays.
void Host::hear_own_id(const wire::Heartbeat& heartbeat, Nanos now) {
  if (heartbeat.header.incarnation == settings_.incarnation || planted(Bug::namesake_ignored))
    return refuse(wire::Refusal::own_frame);
  const Candidate heard{heartbeat.header.incarnation, heartbeat.header.sequence, now};
  const bool known = namesake_ && namesake_->incarnation == heard.incarnation;
  if (known && heard.sequence <= namesake_->sequence) return refuse(wire::Refusal::replayed);
  const bool proven = lives_beside_us(heartbeat);
  namesakes_.note(heard, silence_limit());
  if (known || proven) namesake_ = heard;
  if (!proven) return refuse(wire::Refusal::stale_incarnation);
  note_rival(peers_[settings_.id], heartbeat, now);
  // Losses may have shown them each other at different times: both lost, or both won. Judged again, then.
  if (known && namesake_wins_ == is_active(heartbeat.state)) return;
  const int theirs = heartbeat.phase == 0 ? 0 : std::popcount(heartbeat.view_members);
  const int ours = phase_ == Phase::none ? 0 : std::popcount(view_.members);
  namesake_wins_ = theirs != ours ? theirs > ours : heartbeat.header.incarnation < settings_.incarnation;
  if (!namesake_wins_ && !known)
    note(Notice::Kind::duplicate_id, settings_.id,
         "another host uses this id; it is refused there, this host goes on");
}

void Host::hear_held(const wire::HeldPart& part, Nanos now) {
  Peer& peer = peers_[part.header.sender];
  if (part.header.sender == settings_.id) return refuse(wire::Refusal::own_frame);
  if (!peer.believed || peer.resumed || peer.incarnation != part.header.incarnation || peer.fenced_at != 0)
    return refuse(wire::Refusal::stale_incarnation);
  if (part.header.sequence <= peer.sequence) return refuse(wire::Refusal::replayed);
  peer.sequence = part.header.sequence;
  peer.heard_at = now;
  if (part.owner != 0) return hear_kept(part);
  if (!peer.collecting.take(part)) return;
  peer.held = std::move(peer.collecting);
  peer.collecting = HeldList{};
  say_soon_ = true;
  out_.states_changed = true;
}

// The peer's list for this view is here as a whole. An older generation of the same view still is an upper
// bound: within a view, what is held only shrinks, but for buckets that are no longer kept: a kept list says
// from which generation on these are among the held. No list at all means "everything held".
bool Host::held_complete(const Peer& peer) const {
  const auto& heartbeat = peer.heartbeat;
  const uint16_t from = peer.kept.view == view_.number ? peer.kept.held_from : uint16_t{0};
  const auto says_enough = [&](uint16_t generation) {
    return generation != 0 && (from == 0 || static_cast<int16_t>(generation - from) >= 0);
  };
  const bool none_held =
      heartbeat.view == view_.number && says_enough(heartbeat.held_generation) && heartbeat.held_parts == 0;
  return none_held || (peer.held.view == view_.number && says_enough(peer.held.generation));
}

bool Host::hears(HostId id, Nanos now) const {
  return id != settings_.id && peers_[id].believed && now - peers_[id].heard_at < silence_limit();
}

// A recorded message cannot echo what this host had not said when it was recorded.
std::optional<wire::Refusal> Host::judge_message(const wire::MessagePart& part, Nanos now) const {
  const HostId sender = part.header.sender;
  if (sender == settings_.id) return wire::Refusal::own_frame;
  if (part.target_incarnation != settings_.incarnation || !hears(sender, now) ||
      peers_[sender].incarnation != part.header.incarnation)
    return wire::Refusal::stale_incarnation;
  const auto sent = send_time(part.echo);
  if (!sent || now - *sent >= 2 * silence_limit()) return wire::Refusal::replayed;
  return std::nullopt;
}

wire::Header Host::next_header(Nanos now) {
  ++sequence_;
  sent_.emplace_back(sequence_, now);
  while (now - sent_.front().second > 2 * silence_limit()) sent_.pop_front();
  return {settings_.id, settings_.incarnation, sequence_};
}

// To others. Outside our view it is accused for as long as it could not be in: still silent or deaf since it
// was accused, or so late that no echo of it comes while a lease lasts, or held down.
bool Host::accuses(const Peer& peer, Nanos now) const {
  if (view_.members & bit_of(peer.heartbeat.header.sender)) return peer.accused;
  if (hear_each_other_now(self(), peer, now, silence_limit())) return is_held_down(peer, now);
  const bool heard = peer.believed && now - peer.heard_at < silence_limit();
  return peer.accused || (heard && report_of_hearing(peer.heartbeat, settings_.id) != nullptr);
}

// Which incarnation of that id may prove that it lives. A machine with our own that has done so stays listed:
// frames of the dead, sent again, must not hide it.
const Candidate* Host::candidate_to_list(HostId id, Nanos now) const {
  if (id != settings_.id) return peers_[id].candidates.in_turn(sequence_, now, silence_limit());
  return namesake_ ? &*namesake_ : namesakes_.in_turn(sequence_, now, silence_limit());
}

std::vector<wire::PeerReport> Host::compose_reports(Nanos now) const {
  std::vector<wire::PeerReport> reports;
  reports.reserve(static_cast<std::size_t>(std::popcount(peers_.heard_of)));
  for_each_host(peers_.heard_of, [&](HostId id) {
    const Peer& peer = peers_[id];
    wire::PeerReport report;
    report.id = id;
    const bool heard = peer.believed && now - peer.heard_at < silence_limit();
    const Candidate* const candidate = candidate_to_list(id, now);
    const bool succeeded =
        candidate != nullptr &&
        (!heard || peer.resumed || now - peer.heard_at >= 2 * period() || announces_end(peer.heartbeat));
    if (succeeded) {
      report.incarnation = low(candidate->incarnation);
      report.sequence = low(candidate->sequence);
    } else if (heard || peer.accused) {
      report.incarnation = low(peer.incarnation);
      report.sequence = low(peer.sequence);
      report.accused = accuses(peer, now);
      if (!heard) report.sequence = 0;  // an accusation only
      report.phase = peer.heartbeat.phase;
      report.view = peer.heartbeat.view;
      report.held_generation = peer.held.view == view_.number ? peer.held.generation : uint16_t{0};
      report.kept_generation =
          peer.kept.view == view_.number ? static_cast<uint8_t>(peer.kept.generation) : uint8_t{0};
    } else {
      return;
    }
    reports.push_back(report);
  });
  return reports;
}

wire::Heartbeat Host::compose(Nanos now, uint16_t extra_flags) {
  wire::Heartbeat heartbeat;
  heartbeat.header = next_header(now);
  heartbeat.flags = static_cast<uint16_t>(wire::kFresh | extra_flags);
  if (settings_.keeps) heartbeat.flags |= wire::kKeeps;
  if (settings_.mode == ClusterMode::igmp) heartbeat.flags |= wire::kInIp;
  if (keeper_.any() && !ownership_.owns_anything()) heartbeat.flags |= wire::kOwnsNothing;
  if (!self().active) heartbeat.flags |= wire::kLeaving;
  if (restarting_) heartbeat.flags |= wire::kRestarting;
  if (rx_filtered_) heartbeat.flags |= wire::kUnhealthy;
  if (settings_.service != Service::in) heartbeat.flags |= wire::kOutOfService;
  if (settings_.service == Service::as_last) heartbeat.flags |= wire::kServesAsLast;
  heartbeat.state = state_;
  heartbeat.phase = static_cast<uint8_t>(phase_);
  heartbeat.view = view_.number;
  heartbeat.view_members = view_.members;
  heartbeat.view_digest = view_.digest;
  heartbeat.digests = settings_.digests;
  heartbeat.offers = settings_.offers;
  heartbeat.held_generation = held_generation_;
  heartbeat.held_parts = static_cast<uint16_t>(held_parts_.size());
  heartbeat.kept_generation = kept_generation_;
  heartbeat.kept_parts = static_cast<uint8_t>(kept_parts_.size());
  heartbeat.hold_s = settings_.restart_hold_s;
  heartbeat.dedicated_ip = settings_.dedicated_ip;
  heartbeat.adapter_mac = settings_.adapter_mac;
  heartbeat.peers = compose_reports(now);
  const bool hears_somebody =
      std::any_of(heartbeat.peers.begin(), heartbeat.peers.end(),
                  [](const wire::PeerReport& report) { return !wire::is_mere_accusation(report); });
  if (!hears_somebody) heartbeat.flags |= wire::kAlone;
  return heartbeat;
}

void Host::say(Send::To to, const MacAddress& mac, uint16_t extra_flags, Nanos now) {
  out_.sends.push_back({to, mac, compose(now, extra_flags)});
}

// Parts are repeated until every member has acknowledged this generation.
void Host::say_held(Nanos now) {
  if (held_parts_.empty() || !is_active(state_)) return;
  bool missing = false;
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId id) {
    const auto* report = report_of(peers_[id].heartbeat, settings_.id);
    missing = missing || report == nullptr || report->held_generation != held_generation_ ||
              peers_[id].heartbeat.view != view_.number;
  });
  if (missing) say_parts(held_parts_, now);
}

// "Before a silent peer is evicted it is asked by unicast at its adapter's MAC": twice, from half the limit
// on.
void Host::ask_the_quiet(Nanos now) {
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId id) {
    const Peer& peer = peers_[id];
    const Nanos silence = now - peer.heard_at;
    if (!peer.accused && silence >= silence_limit() / 2 && silence < silence_limit())
      say(Send::To::peer, peer.heartbeat.adapter_mac, wire::kAsk, now);
  });
}

// Our own, and what we know of ghosts: a member that never met the ghost learns of it here.
SlotBuckets Host::held_to_publish() const {
  if (planted(Bug::holds_forgotten)) return SlotBuckets(kMaxSlots);
  SlotBuckets held = ownership_.held();
  for (const auto& [mac, ghost] : ghosts_)
    for (std::size_t slot : ownership_.slots()) held[slot] |= ghost.buckets[slot];
  return held;
}

void Host::publish_held() {
  if (!release_begun_ || !ownership_.live_known()) return;
  const bool first = held_generation_ == 0;
  SlotBuckets held = held_to_publish();
  if (!first && !held_is_renewed_ && held == held_published_) return;
  held_is_renewed_ = false;
  held_published_ = std::move(held);
  if (first) held_generation_ = first_generation_;
  ++held_generation_;
  if (held_generation_ == 0) held_generation_ = 1;
  held_parts_ = wire::split_held(held_published_);
  for (auto& part : held_parts_) {
    part.view = view_.number;
    part.generation = held_generation_;
  }
  say_soon_ = true;
  out_.states_changed = true;
}

}  // namespace nlb::core
