// SPDX-License-Identifier: Apache-2.0
// A notice of the switch is as good as a silence of D: the fenced host is accused at once, and nothing else
// is new. Whoever else accuses it, who testifies for it, and when its buckets are taken, is as ever.
#include "core/host.hh"

namespace nlb::core {

void Host::say_to_switch(uint64_t nonce, Nanos now) {
  nonces_.said(nonce, now);
}

// A frame of the fenced one may have been under way. That it lives all the same (it was moved to another
// switch, and its former port is gone), it proves with an echo of what this host has sent since.
bool Host::lives_though_fenced(const Peer& peer, const wire::Heartbeat& heartbeat) const {
  const auto* report = report_of_us(heartbeat);
  if (report == nullptr) return false;
  const auto sent = send_time(report->sequence);
  return sent && *sent > peer.fenced_at;
}

Actions Host::on_fence(const FenceNotice& notice, uint64_t next_incarnation, Nanos now) {
  notice_standstill(now);
  const bool asked = nonces_.has(notice.nonce, now) || planted(Bug::fence_unasked);
  if (!asked || notice.host == 0 || notice.host > kMaxHosts) {
    refuse(wire::Refusal::replayed);
    return finish(now);
  }
  if (notice.host == settings_.id) {
    if (notice.incarnation == settings_.incarnation) begin_anew(next_incarnation, now);
  } else {
    believe_fenced(notice, now);
  }
  evaluate(now);
  return finish(now);
}

void Host::believe_fenced(const FenceNotice& notice, Nanos now) {
  Peer& peer = peers_[notice.host];
  if (!peer.believed || peer.incarnation != notice.incarnation || peer.fenced_at != 0)
    return refuse(wire::Refusal::stale_incarnation);
  peer.fenced_at = now;
  peer.heard_at = now - silence_limit();
  peer.prompt_at = peer.mutual_since = 0;
  if (!(view_.members & bit_of(notice.host)) || peer.accused) return;
  peer.accuse(view_.number, now);
  say_soon_ = true;
  note(Notice::Kind::peer_fenced, notice.host,
       "the switch has fenced its port, which went down: nothing gets in or out there");
}

// Others have been told that this life of the daemon is over, and may own what it owned. As one with another
// incarnation it cannot be meant by what is still under way to them.
void Host::begin_anew(uint64_t incarnation, Nanos now) {
  note(Notice::Kind::fenced, 0,
       "the switch had fenced this host's port, which was down: others have its buckets, it begins anew");
  go_alone("fenced by the switch");
  settings_.incarnation = incarnation;
  digest_known_ = false;
  sent_.clear();
  for (Peer& peer : peers_) peer.echoed_send = 0;
  times_resumed_ = 0;
  listening_since_ = now;
  say_soon_ = true;
}

}  // namespace nlb::core
