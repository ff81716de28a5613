/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The decision about an incoming frame: one function, compiled into XDP and tc. A frame that is not for a
 * virtual IP address passes, unless it was sent to the cluster MAC: every host receives that one, and with
 * forwarding on they would send it to each other for ever. */
#ifndef NLB_BPF_DECIDE_H
#define NLB_BPF_DECIDE_H

#include "verdict.h"
#include "arp.h"
#include "heartbeat.h"
#include "ipv4.h"
#include "ipv6.h"

static nlb_inline __u32 nlb_decide_other(const struct nlb_frame* frame, const struct nlb_bank* bank) {
  if (nlb_is_cluster_mac(bank, frame->begin)) return NLB_VERDICT_not_vip;
  if (!(bank->flags & NLB_BANK_REPLACE)) return NLB_VERDICT_passed;
  if (nlb_mac_equal(frame->begin, bank->masked_mac) || nlb_mac_equal(frame->begin, bank->adapter_mac))
    return NLB_VERDICT_host;
  return NLB_VERDICT_passed;
}

static nlb_inline __u32 nlb_decide_v6(struct nlb_frame* frame, const struct nlb_view* view) {
  __u32 verdict = nlb_may_be_nd(frame) ? nlb_decide_nd(frame, view) : NLB_UNDECIDED;

  return verdict == NLB_UNDECIDED ? nlb_decide_ipv6(frame, view) : verdict;
}

static nlb_inline __u32 nlb_decide(struct nlb_frame* frame, const struct nlb_view* view) {
  __u32 verdict = NLB_UNDECIDED;

  if (frame->begin + ETH_HLEN > frame->end) return NLB_VERDICT_passed;
  if (nlb_parse_ethernet(frame)) {
    if (frame->tagged) return NLB_VERDICT_vlan;
    if (nlb_find_heartbeat(frame, view->bank)) return nlb_decide_heartbeat(frame, view->bank);
    if (frame->type == ETH_P_IP)
      verdict = nlb_decide_ipv4(frame, view);
    else if (frame->type == ETH_P_IPV6)
      verdict = nlb_decide_v6(frame, view);
    else if (frame->type == ETH_P_ARP)
      verdict = nlb_decide_arp(frame, view);
  }
  if (frame->visits) nlb_note_visit(view, frame->visited_slot, frame->visitor);
  if (verdict != NLB_UNDECIDED) return verdict;
  return nlb_decide_other(frame, view->bank);
}

#endif
