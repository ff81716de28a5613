/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A frame that one member alone takes is sent to that member: as far as its port the frame has the member's
 * own MAC as its destination, so the bridge carries one copy instead of one to each member. All members of
 * the cluster must be on this bridge, or have got the frame before it came in (NLB_GUARD_PORT_DIRECTS), and
 * all must have said so in announcements that are in force. The member's port judges the frame again. */
#ifndef NLB_BPF_GUARD_DIRECTION_H
#define NLB_BPF_GUARD_DIRECTION_H

#include "guard_steering.h"

#define NLB_GUARD_NOBODY 0U
#define NLB_GUARD_UNSURE (~0U)

/* What is in force of that member, if its rules are these. */
static nlb_inline const struct nlb_steering_row* nlb_guard_row_in_force(__u32 ifindex, __u32 config,
                                                                        __u32 slot) {
  const struct nlb_guard_steered* steered = bpf_map_lookup_elem(&guard_steered, &ifindex);

  if (!steered || steered->config != config || !nlb_is_in_force(steered, ifindex)) return 0;
  return nlb_steered_row(ifindex, slot, steered->generation);
}

/* Interface index of the one that takes it. A function of its own for the verifier and for the stack. */
static __attribute__((noinline)) __u32 nlb_guard_sole_taker(const struct nlb_guard_frame* frame,
                                                            const struct nlb_steering_members* members) {
  struct nlb_steered_packet packet = {};
  struct nlb_steered_place place;
  const struct nlb_guard_steered* first;
  __u32 taker = NLB_GUARD_NOBODY;

  if (!members || !members->count) return NLB_GUARD_UNSURE;
  first = bpf_map_lookup_elem(&guard_steered, &members->ifindex[0]);
  if (!first) return NLB_GUARD_UNSURE;
  packet.vip.config = first->config;
  if (!nlb_read_steered(frame, &packet) || !nlb_find_steered_place(&packet, &place)) return NLB_GUARD_UNSURE;
  for (__u32 i = 0; i < NLB_STEERING_MAX_MEMBERS && i < members->count; ++i) {
    __u32 ifindex = members->ifindex[i];
    const struct nlb_steering_row* row = nlb_guard_row_in_force(ifindex, packet.vip.config, place.slot);

    if (!row) return NLB_GUARD_UNSURE;
    if (!nlb_has_bucket(row->accepts, place.bucket)) continue;
    if (taker) return NLB_GUARD_UNSURE;
    taker = ifindex;
  }
  return taker;
}

/* A frame that was let through. One of which every member says that it does not take it goes nowhere: who
 * takes it is behind the uplink. */
static nlb_inline __u32 nlb_guard_direct(const struct nlb_guard_frame* frame) {
  const struct nlb_guard_port* port;
  const struct nlb_guard_mac* owner;
  __u32 taker;

  if (!(frame->port->flags & NLB_GUARD_PORT_DIRECTS)) return NLB_GUARD_PASSED;
  if (frame->type != ETH_P_IP && frame->type != ETH_P_IPV6) return NLB_GUARD_PASSED;
  owner = nlb_guard_find_mac(frame, frame->destination);
  if (!owner || owner->kind != NLB_GUARD_MAC_CLUSTER) return NLB_GUARD_PASSED;
  taker = nlb_guard_sole_taker(frame, nlb_guard_members_of(frame, owner->cluster));
  if (taker == NLB_GUARD_UNSURE) return NLB_GUARD_PASSED;
  if (taker == NLB_GUARD_NOBODY) return NLB_GUARD_REASON(steered_away);
  port = bpf_map_lookup_elem(&guard_ports, &taker);
  if (!port || nlb_guard_is_zero_mac(port->mac)) return NLB_GUARD_PASSED;
  if (bpf_skb_store_bytes(frame->skb, 0, port->mac, sizeof(port->mac), 0)) return NLB_GUARD_PASSED;
  return NLB_GUARD_REASON(directed);
}

#endif
