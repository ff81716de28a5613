// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a port of a guarded bridge sends into it, at tc ingress of that port. A guest speaks only for itself:
// its own MAC and addresses, or what its policy adds. The uplink speaks for everybody but those who are here.
// Every frame that goes on carries NLB_GUARD_MARK, without which the bridge's nftables chain drops it: a port
// whose program somebody took off passes nothing.
#include "lib/guard_report.h"

#include "lib/guard_arp.h"
#include "lib/guard_direction.h"
#include "lib/guard_frame.h"
#include "lib/guard_ipv6.h"
#include "lib/guard_link.h"
#include "lib/guard_offload.h"
#include "lib/guard_source.h"

static nlb_inline __u32 nlb_guard_judge_payload(struct nlb_guard_frame* frame) {
  int guest = frame->port->role == NLB_GUARD_ROLE_GUEST;

  frame->free_offset = frame->network_offset;
  if (frame->nested && !frame->read_through) return NLB_GUARD_PASSED;
  switch (frame->type) {
    case ETH_P_IP:
      return guest ? nlb_guard_judge_ipv4(frame) : NLB_GUARD_PASSED;
    case ETH_P_ARP:
      return nlb_guard_judge_arp(frame);
    case ETH_P_RARP:
      return nlb_guard_judge_rarp(frame);
    case ETH_P_IPV6:
      return nlb_guard_judge_ipv6(frame);
    default:
      return NLB_GUARD_PASSED;
  }
}

static nlb_inline __u32 nlb_guard_judge_transmit(struct nlb_guard_frame* frame) {
  int guest = frame->port->role == NLB_GUARD_ROLE_GUEST;
  __u32 reason = nlb_guard_read_frame(frame);

  if (nlb_guard_is_fenced(frame)) return NLB_GUARD_REASON(fenced); /* also what cannot be read */
  if (reason != NLB_GUARD_PASSED) return reason;
  if (guest && frame->nested) return NLB_GUARD_REASON(double_tagged);
  reason = nlb_guard_judge_source(frame);
  if (reason != NLB_GUARD_PASSED) return reason;
  reason = nlb_guard_judge_destination(frame);
  if (reason != NLB_GUARD_PASSED) return reason;
  reason = nlb_guard_judge_payload(frame);
  if (reason != NLB_GUARD_PASSED) return reason;
  reason = nlb_guard_judge_offload(frame);
  if (reason != NLB_GUARD_PASSED) return reason;
  return guest ? nlb_guard_judge_rate(frame) : NLB_GUARD_PASSED;
}

SEC("tc")
int nlb_guard_transmit(struct __sk_buff* skb) {
  struct nlb_guard_frame frame = {};
  __u32 reason;

  if (nlb_guard_open(&frame, skb, &reason)) reason = nlb_guard_judge_transmit(&frame);
  if (reason == NLB_GUARD_PASSED) reason = nlb_guard_direct(&frame);
  return nlb_guard_conclude(&frame, NLB_GUARD_TRANSMIT, reason);
}

char _license[] SEC("license") = "Dual BSD/GPL";
