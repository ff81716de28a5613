/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A cluster's frame at a member's port: the cluster's MAC again where the bridge carried it to this member
 * alone (guard_direction.h), and whether the member's filter may take it. */
#ifndef NLB_BPF_GUARD_DELIVERY_H
#define NLB_BPF_GUARD_DELIVERY_H

#include "guard_steering.h"

/* Nobody behind the port meets the mark. */
static nlb_inline int nlb_guard_was_directed(struct __sk_buff* skb) {
  if (!(skb->mark & NLB_GUARD_DIRECTED_MARK)) return 0;
  skb->mark &= ~NLB_GUARD_DIRECTED_MARK;
  return 1;
}

/* Could `transmit` have sent it to one member alone? Others may use the bit of the mark as well. */
static __attribute__((noinline)) int nlb_guard_may_be_directed(const struct nlb_guard_frame* frame) {
  const struct nlb_guard_steered* steered = bpf_map_lookup_elem(&guard_steered, &frame->ifindex);
  struct nlb_steered_packet packet = {};

  if (!steered || !nlb_read_steered(frame, &packet)) return 0;
  packet.vip.config = steered->config;
  return bpf_map_lookup_elem(&guard_vips, &packet.vip) != 0;
}

/* Before the frame is judged. */
static nlb_inline void nlb_guard_restore(struct nlb_guard_frame* frame) {
  const struct nlb_steering_members* members;

  if (!frame->member || !nlb_guard_is_own_mac(frame, frame->destination)) return;
  members = nlb_guard_members_of(frame, frame->member);
  if (!members || !nlb_guard_may_be_directed(frame)) return;
  if (bpf_skb_store_bytes(frame->skb, 0, members->mac, sizeof(members->mac), 0)) return;
  nlb_guard_copy_mac(frame->destination, members->mac);
}

/* A frame to a MAC that the members of the port's cluster have in common. A function of its own for the
 * verifier and for the stack. */
static __attribute__((noinline)) __u32 nlb_guard_steer(const struct nlb_guard_frame* frame) {
  const struct nlb_guard_steered* steered = bpf_map_lookup_elem(&guard_steered, &frame->ifindex);
  struct nlb_steered_packet packet = {};
  struct nlb_steered_place place;
  const struct nlb_steering_row* row;

  if (!steered) return NLB_GUARD_PASSED;
  if (frame->type != ETH_P_IP && frame->type != ETH_P_IPV6) return NLB_GUARD_PASSED;
  packet.vip.config = steered->config;
  if (!nlb_is_in_force(steered, frame->ifindex) || !nlb_read_steered(frame, &packet) ||
      !nlb_find_steered_place(&packet, &place))
    return NLB_GUARD_REASON(flooded);
  row = nlb_steered_row(frame->ifindex, place.slot, steered->generation);
  if (!row) return NLB_GUARD_REASON(flooded);
  if (!nlb_has_bucket(row->accepts, place.bucket)) return NLB_GUARD_REASON(steered_away);
  /* Once a frame: the first member's copy counts as steered, each further one as replicated. */
  return nlb_has_bucket(row->replicas, place.bucket) ? NLB_GUARD_REASON(replicated)
                                                     : NLB_GUARD_REASON(steered);
}

#endif
