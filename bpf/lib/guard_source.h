/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The Ethernet source. off: the adapter's own; cluster: besides, the masked MAC of this host id, or the
 * cluster's virtual MACs; on: any that is nobody else's, up to a number. The cluster MAC of NLB is nobody's
 * source: switches would learn it, and the other hosts would hear nothing any more. */
#ifndef NLB_BPF_GUARD_SOURCE_H
#define NLB_BPF_GUARD_SOURCE_H

#include "guard_mac.h"
#include "guard_state.h"

#define NLB_GUARD_AGE_STEP_NS 1000000000ULL

static nlb_inline __u32 nlb_guard_learn_new(const struct nlb_guard_frame* frame,
                                            const struct nlb_guard_learned_key* key) {
  struct nlb_guard_state* state = nlb_guard_state_of(frame->ifindex);
  __u32 limit = frame->port->max_macs - !nlb_guard_is_zero_mac(frame->port->mac);
  struct nlb_guard_learned learned;
  __u32 before;

  if (!state) return NLB_GUARD_REASON(too_many_macs);
  before = __sync_fetch_and_add(&state->macs_learned, 1) - frame->port->macs_forgotten;
  if (before < limit) {
    learned.first_ns = bpf_ktime_get_coarse_ns();
    learned.last_ns = learned.first_ns;
    if (!bpf_map_update_elem(&guard_learned, key, &learned, BPF_NOEXIST)) return NLB_GUARD_PASSED;
  }
  __sync_fetch_and_add(&state->macs_learned, -1);
  if (bpf_map_lookup_elem(&guard_learned, key)) return NLB_GUARD_PASSED; /* another processor was faster */
  return NLB_GUARD_REASON(too_many_macs);
}

static nlb_inline __u32 nlb_guard_learn(const struct nlb_guard_frame* frame) {
  struct nlb_guard_learned_key key = {.ifindex = frame->ifindex};
  struct nlb_guard_learned* learned;
  __u64 now;

  if (!frame->port->max_macs) return NLB_GUARD_PASSED;
  nlb_guard_copy_mac(key.mac, frame->source);
  learned = bpf_map_lookup_elem(&guard_learned, &key);
  if (!learned) return nlb_guard_learn_new(frame, &key);
  if (frame->port->flags & NLB_GUARD_PORT_STICKY) return NLB_GUARD_PASSED;
  now = bpf_ktime_get_coarse_ns();
  if (now - learned->last_ns >= NLB_GUARD_AGE_STEP_NS) learned->last_ns = now;
  return NLB_GUARD_PASSED;
}

static nlb_inline __u32 nlb_guard_judge_guest_source(struct nlb_guard_frame* frame) {
  const struct nlb_guard_mac* owner;
  __u32 reason;

  if (nlb_guard_is_own_mac(frame, frame->source)) return NLB_GUARD_PASSED;
  owner = nlb_guard_find_mac(frame, frame->source);
  if (!owner) {
    if (nlb_guard_is_cluster_pattern(frame->source)) return NLB_GUARD_REASON(rogue_cluster);
    return frame->port->spoofing == NLB_GUARD_SPOOFING_ON ? nlb_guard_learn(frame)
                                                          : NLB_GUARD_REASON(source_spoofed);
  }
  reason = nlb_guard_judge_owned(frame, owner);
  if (reason == NLB_GUARD_PASSED && owner->kind == NLB_GUARD_MAC_CLUSTER)
    return NLB_GUARD_REASON(cluster_source);
  return reason;
}

/* What comes in by the uplink belongs to somebody elsewhere. A daemon that knows a guest to be elsewhere
 * takes its MACs out of the set, or says so by ifindex 0. */
static nlb_inline __u32 nlb_guard_judge_uplink_source(struct nlb_guard_frame* frame) {
  const struct nlb_guard_mac* owner = nlb_guard_find_mac(frame, frame->source);

  if (!owner) return NLB_GUARD_PASSED;
  if (owner->kind == NLB_GUARD_MAC_CLUSTER) return NLB_GUARD_REASON(cluster_source);
  if (!owner->ifindex) return NLB_GUARD_PASSED;
  if (owner->kind == NLB_GUARD_MAC_MASKED) return NLB_GUARD_REASON(duplicate_host_id);
  return owner->kind == NLB_GUARD_MAC_PORT ? NLB_GUARD_REASON(neighbour_mac) : NLB_GUARD_PASSED;
}

static nlb_inline __u32 nlb_guard_judge_source(struct nlb_guard_frame* frame) {
  if (nlb_guard_is_zero_mac(frame->source)) return NLB_GUARD_REASON(source_zero);
  if (frame->source[0] & 1) return NLB_GUARD_REASON(source_multicast);
  return frame->port->role == NLB_GUARD_ROLE_UPLINK ? nlb_guard_judge_uplink_source(frame)
                                                    : nlb_guard_judge_guest_source(frame);
}

#endif
