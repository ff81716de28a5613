/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fragments: only the first one names the ports, so it decides, and what it decides is remembered for the
 * others. Only "accept" is remembered; a fragment whose first was not seen is dropped by every host. */
#ifndef NLB_BPF_FRAGMENT_H
#define NLB_BPF_FRAGMENT_H

#include <linux/ip.h>

#include "maps.h"

#define NLB_IP_MORE_FRAGMENTS 0x2000
#define NLB_IP_OFFSET_MASK 0x1fff

static nlb_inline struct nlb_fragment_key nlb_fragment_key_of(const struct iphdr* ip) {
  struct nlb_fragment_key key = {
      .source = ip->saddr, .destination = ip->daddr, .id = ip->id, .protocol = ip->protocol};

  return key;
}

static nlb_inline void nlb_remember_fragment(const struct iphdr* ip) {
  struct nlb_fragment_key key = nlb_fragment_key_of(ip);
  __u32 accepted = 1;

  bpf_map_update_elem(&nlb_fragments, &key, &accepted, BPF_ANY);
}

static nlb_inline __u32 nlb_judge_later_fragment(const struct iphdr* ip) {
  struct nlb_fragment_key key = nlb_fragment_key_of(ip);

  return bpf_map_lookup_elem(&nlb_fragments, &key) ? NLB_VERDICT_fragment : NLB_VERDICT_fragment_unknown;
}

#endif
