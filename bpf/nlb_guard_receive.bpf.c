// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a port of a guarded bridge gets, at tc egress of that port. A guest hears what is sent to it,
// broadcast and multicast, and of clusters only those that it is a member of: bridges flood what they do not
// know, and a cluster MAC is never known. A member that has announced its buckets gets only those. The uplink
// gets everything: members may be behind it.
#include "lib/guard_report.h"

#include "lib/guard_delivery.h"
#include "lib/guard_frame.h"
#include "lib/guard_mac.h"

/* Policy announcements are the daemon's own, sent on the port; the nearest bridge's address and no other. */
static nlb_inline int nlb_guard_is_announced_rightly(const struct nlb_guard_frame* frame) {
  static const __u8 nearest[6] __attribute__((aligned(2))) = NLB_GUARD_ANNOUNCEMENT_MAC;

  return nlb_guard_same_mac(frame->destination, nearest);
}

static nlb_inline __u32 nlb_guard_judge_guest_receive(struct nlb_guard_frame* frame) {
  const struct nlb_guard_mac* owner;

  if (frame->type == NLB_ETHERTYPE_POLICY)
    return nlb_guard_is_announced_rightly(frame) ? NLB_GUARD_PASSED : NLB_GUARD_REASON(forged_announcement);
  if (nlb_guard_is_fenced(frame)) return NLB_GUARD_REASON(fenced);
  if (nlb_guard_is_own_mac(frame, frame->destination) || nlb_guard_is_broadcast(frame->destination))
    return NLB_GUARD_PASSED;
  owner = nlb_guard_find_mac(frame, frame->destination);
  if (owner) {
    if (nlb_guard_judge_owned(frame, owner) != NLB_GUARD_PASSED) return NLB_GUARD_REASON(not_for_port);
    return nlb_guard_is_shared(owner) ? nlb_guard_steer(frame) : NLB_GUARD_PASSED;
  }
  if ((frame->destination[0] & 1) || frame->port->spoofing == NLB_GUARD_SPOOFING_ON) return NLB_GUARD_PASSED;
  return NLB_GUARD_REASON(not_for_port);
}

SEC("tc")
int nlb_guard_receive(struct __sk_buff* skb) {
  struct nlb_guard_frame frame = {};
  int directed = nlb_guard_was_directed(skb);
  __u32 reason;

  if (nlb_guard_open(&frame, skb, &reason)) {
    reason = NLB_GUARD_PASSED;
    if (frame.port->role != NLB_GUARD_ROLE_UPLINK) {
      reason = nlb_guard_read_frame(&frame);
      if (directed && reason == NLB_GUARD_PASSED) nlb_guard_restore(&frame);
      if (reason == NLB_GUARD_PASSED) reason = nlb_guard_judge_guest_receive(&frame);
    }
  }
  return nlb_guard_conclude(&frame, NLB_GUARD_RECEIVE, reason);
}

char _license[] SEC("license") = "Dual BSD/GPL";
