/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a port has used up: broadcast and heartbeats under a storm limit, learned MACs, its right to speak.
 * The policy is the daemon's, this is the programs'; neither overwrites the other. */
#ifndef NLB_BPF_GUARD_STATE_H
#define NLB_BPF_GUARD_STATE_H

#include "guard_maps.h"

static nlb_inline struct nlb_guard_state* nlb_guard_state_of(__u32 ifindex) {
  struct nlb_guard_state* state = bpf_map_lookup_elem(&guard_states, &ifindex);
  struct nlb_guard_state fresh = {};

  if (state) return state;
  bpf_map_update_elem(&guard_states, &ifindex, &fresh, BPF_NOEXIST);
  return bpf_map_lookup_elem(&guard_states, &ifindex);
}

static nlb_inline int nlb_guard_is_down(const struct nlb_guard_port* port, __u32 ifindex) {
  const struct nlb_guard_state* state;

  if (port->violation != NLB_GUARD_VIOLATION_SHUTDOWN || (port->flags & NLB_GUARD_PORT_AUDIT)) return 0;
  state = bpf_map_lookup_elem(&guard_states, &ifindex);
  return state && state->down_ns > port->recovered_ns;
}

/* Between the guest and the switch alone something may be said. */
static nlb_inline int nlb_guard_is_fenced(const struct nlb_guard_frame* frame) {
  return (frame->port->flags & NLB_GUARD_PORT_FENCED) && frame->type != NLB_ETHERTYPE_POLICY;
}

static nlb_inline void nlb_guard_shut_down(__u32 ifindex, __u32 reason) {
  struct nlb_guard_state* state = nlb_guard_state_of(ifindex);

  if (!state) return;
  state->down_reason = reason;
  state->down_ns = bpf_ktime_get_boot_ns();
}

/* The generic cell rate algorithm (ITU-T I.371): each frame takes the time that the limit gives it; what was
 * taken may run ahead of the clock by the burst. Without a lock: raise to now, add, take back when that was
 * too much. */
static nlb_inline int nlb_guard_within_rate(__u64* used_until, __u32 per_second) {
  __u64 now = bpf_ktime_get_boot_ns(), step = 1000000000ULL / per_second, seen = *used_until, after;
  __u64 burst = step > NLB_GUARD_BURST_NS ? step : NLB_GUARD_BURST_NS;

  if (seen < now) __sync_val_compare_and_swap(used_until, seen, now);
  after = __sync_fetch_and_add(used_until, step) + step;
  if (after <= now + burst) return 1;
  __sync_fetch_and_add(used_until, -step);
  return 0;
}

#endif
