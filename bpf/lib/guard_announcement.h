/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A member's announcement of its buckets, or of itself, ends at its port: what it says last of its buckets is
 * noted at once, before user space has read it, because a member that is about to take more says so first
 * (guard_steering.h). Whose it is, the port says; what else claims to be an announcement is the hypervisor's
 * alone and forged. */
#ifndef NLB_BPF_GUARD_ANNOUNCEMENT_H
#define NLB_BPF_GUARD_ANNOUNCEMENT_H

#include <nlb/abi/steering.h>

#include "guard_state.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, NLB_STEERING_RING_BYTES);
} guard_parts SEC(".maps");

/* Of a member of an NLB cluster, in the plain: no tag, no SNAP, to the nearest bridge and nobody else. */
static nlb_inline int nlb_guard_may_announce(const struct nlb_guard_frame* frame) {
  static const __u8 nearest[6] __attribute__((aligned(2))) = NLB_GUARD_ANNOUNCEMENT_MAC;

  return frame->port->role == NLB_GUARD_ROLE_GUEST && frame->port->spoofing == NLB_GUARD_SPOOFING_CLUSTER &&
         frame->member && frame->port->host_id && !frame->skb->vlan_present &&
         frame->network_offset == sizeof(struct ethhdr) && nlb_guard_same_mac(frame->destination, nearest);
}

/* kind 'O': of its buckets; 'M': of itself */
static nlb_inline int nlb_guard_is_header(const struct nlb_steering_header* header, char kind) {
  return header->magic[0] == 'O' && header->magic[1] == 'N' && header->magic[2] == 'L' &&
         header->magic[3] == kind && header->major == NLB_STEERING_MAJOR;
}

/* The header was read: the frame has it. */
static nlb_inline void nlb_guard_hand_over(const struct nlb_guard_frame* frame) {
  struct nlb_steering_part* part = bpf_ringbuf_reserve(&guard_parts, sizeof(*part), 0);
  __u32 last = frame->skb->len - sizeof(struct ethhdr) - 1;

  if (!part) return; /* it is repeated until it is acknowledged */
  part->ifindex = frame->ifindex;
  part->bytes = 0;
  if (last >= NLB_STEERING_MAX_BYTES) last = NLB_STEERING_MAX_BYTES - 1; /* what follows is padding */
  asm volatile("" : "+r"(last)); /* the verifier of Linux 6.1 does not follow the comparison, but the mask */
  last &= 2047;
  if (last < NLB_STEERING_MAX_BYTES &&
      !bpf_skb_load_bytes(frame->skb, sizeof(struct ethhdr), part->payload, last + 1))
    part->bytes = last + 1;
  bpf_ringbuf_submit(part, 0);
}

/* The time first: a note of the new generation is never older than it. */
static nlb_inline __u32 nlb_guard_judge_announcement(const struct nlb_guard_frame* frame) {
  struct nlb_steering_header header;
  struct nlb_guard_state* state;
  int of_buckets;

  if (!nlb_guard_may_announce(frame) ||
      bpf_skb_load_bytes(frame->skb, frame->network_offset, &header, sizeof(header)))
    return NLB_GUARD_REASON(forged_announcement);
  of_buckets = nlb_guard_is_header(&header, 'O');
  if (!of_buckets && !nlb_guard_is_header(&header, 'M')) return NLB_GUARD_REASON(forged_announcement);
  state = nlb_guard_state_of(frame->ifindex);
  if (!state) return NLB_GUARD_REASON(announcement_storm);
  if (of_buckets) {
    *(volatile __u64*)&state->announced_ns = bpf_ktime_get_coarse_ns();
    *(volatile __u32*)&state->announced_generation = bpf_ntohl(header.generation);
  }
  if (!nlb_guard_within_rate(&state->announcement_ns, NLB_STEERING_PARTS_PER_SECOND))
    return NLB_GUARD_REASON(announcement_storm);
  nlb_guard_hand_over(frame);
  return NLB_GUARD_REASON(announced);
}

#endif
