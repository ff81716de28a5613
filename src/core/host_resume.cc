// SPDX-License-Identifier: Apache-2.0
// A daemon that was killed and is started again while its lease runs goes on in its view, as the incarnation
// that it was: the filter has stayed in force, nobody can have taken its buckets, and no peer has to know.
#include <bit>

#include "core/host.hh"

namespace nlb::core {
namespace {

constexpr int kBlockBits = 24;           // of numbers of frames: hours at any rate
constexpr uint64_t kBlocksAhead = 4;     // further than a predecessor can have come within one
constexpr uint32_t kMostResumes = 14;    // in one view
constexpr uint16_t kGenerations = 4096;  // of held lists, for each life in one view

}  // namespace

// Only where all is as in a settled cluster: whatever else this host knows would be lost.
ResumeMark Host::resume_mark() const {
  const bool settled = phase_ == Phase::acquired && state_ == HostState::converged && bound_ && carrier_ &&
                       std::popcount(view_.members) >= 2 && ownership_.owns_anything();
  const bool plain = ghosts_.empty() && outsiders_ == 0 && !outsider_heard_ && !namesakes_.any() &&
                     !rx_filtered_ && !aside_ && !restarting_ &&
                     !keeper_.any();  // kept buckets are not in the point
  const bool room = times_resumed_ < kMostResumes && held_generation_ % kGenerations < kGenerations - 1 &&
                    held_generation_ != 0;
  if (!settled || !plain || !room) return {};
  return {true, view_.number, view_.digest, sequence_ >> kBlockBits, times_resumed_};
}

ResumePoint Host::resume_point() const {
  ResumePoint point{settings_.incarnation, resume_mark(), view_.members, {}};
  if (!point.mark.valid) return point;
  for_each_host(view_.members & ~bit_of(settings_.id), [&](HostId id) {
    point.peers.push_back({id, peers_[id].sequence, peers_[id].heartbeat});
  });
  return point;
}

bool Host::resume(const ResumePoint& point, Nanos lease, Nanos now) {
  if (!point.mark.valid || phase_ != Phase::none || now >= lease) return false;
  if (point.mark.times >= kMostResumes || !(point.members & bit_of(settings_.id))) return false;
  Host resumed = *this;
  if (!resumed.take_up(point, lease, now)) return false;
  *this = std::move(resumed);
  return true;
}

Actions Host::ask_members(Nanos now) {
  for_each_host(view_.members & ~bit_of(settings_.id),
                [&](HostId id) { say(Send::To::peer, peers_[id].heartbeat.adapter_mac, wire::kAsk, now); });
  return finish(now);
}

bool Host::take_up(const ResumePoint& point, Nanos lease, Nanos now) {
  settings_.incarnation = point.incarnation;
  sequence_ = (point.mark.sequence_block + kBlocksAhead) << kBlockBits;
  state_ = HostState::converged;
  bound_ = true;  // as its predecessor was; whoever finds that it is not says so
  view_ = {point.mark.view, point.members, point.mark.view_digest};
  HostSet known = bit_of(settings_.id);
  for (const ResumedPeer& from : point.peers) {
    if (from.id == settings_.id || !(view_.members & bit_of(from.id))) return false;
    if (differing_item(settings_.digests, from.heartbeat.digests) != nullptr) return false;
    known |= bit_of(from.id);
    Peer& peer = peers_[from.id];
    peer.believed = peer.resumed = true;
    peer.incarnation = from.heartbeat.header.incarnation;
    peer.sequence = from.sequence;
    peer.heartbeat = from.heartbeat;
    // As after a turn that came late: who is dead is silent for D from now.
    peer.heard_at = peer.mutual_since = peer.prompt_at = peer.admitted_at = now;
  }
  if (known != view_.members || content_digest(view_.members) != view_.digest) return false;
  peers_.heard_of = view_.members & ~bit_of(settings_.id);
  phase_ = Phase::acquired;
  view_started_at_ = listening_since_ = company_since_ = heard_by_cluster_mac_at_ = now;
  agreed_offers_ = members_offers(view_.members);
  tables_ = next_tables_ = compute_tables(view_.members);
  ownership_.acquire(tables_, settings_.id);
  lease_ = lease;
  release_begun_ = true;
  held_published_.clear();  // unlike any list: ours is a new one even if nothing in it is
  times_resumed_ = point.mark.times + 1;
  first_generation_ = static_cast<uint16_t>(times_resumed_ * kGenerations);
  next_scan_ = now;
  say_soon_ = true;
  note(Notice::Kind::resumed, 0,
       "goes on in view " + std::to_string(view_.number) + " of the daemon before it");
  return true;
}

}  // namespace nlb::core
