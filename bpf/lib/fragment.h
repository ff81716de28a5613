/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fragments: only the first one names the ports, so it decides, and what it decides is remembered for the
 * others. Only "accept" is remembered; a fragment whose first was not seen is dropped by every host. */
#ifndef NLB_BPF_FRAGMENT_H
#define NLB_BPF_FRAGMENT_H

#include "bucket.h"

#define NLB_IP_MORE_FRAGMENTS 0x2000
#define NLB_IP_OFFSET_MASK 0x1fff

/* `id` in network order; `protocol` 0 for IPv6. */
static nlb_inline void nlb_fill_fragment_key(struct nlb_fragment_key* key, const struct nlb_flow* flow,
                                             __u32 id, __u32 protocol) {
  nlb_key_address(key->source, flow->client, flow->ipv6);
  nlb_key_address(key->destination, flow->vip, flow->ipv6);
  key->id = id;
  key->protocol = protocol;
}

static nlb_inline void nlb_remember_fragment(const struct nlb_fragment_key* key) {
  __u32 accepted = 1;

  bpf_map_update_elem(&nlb_fragments, key, &accepted, BPF_ANY);
}

static nlb_inline __u32 nlb_judge_later_fragment(const struct nlb_fragment_key* key) {
  return bpf_map_lookup_elem(&nlb_fragments, key) ? NLB_VERDICT_fragment : NLB_VERDICT_fragment_unknown;
}

#endif
