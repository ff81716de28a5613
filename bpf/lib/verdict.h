/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Verdicts: what to do for each, and counting them. */
#ifndef NLB_BPF_VERDICT_H
#define NLB_BPF_VERDICT_H

#include "maps.h"

static nlb_inline enum nlb_action nlb_action_of(__u32 verdict) {
  switch (verdict) {
#define NLB_VERDICT_CASE(name, action, expected, text) \
  case NLB_VERDICT_##name:                             \
    return NLB_ACTION_##action;
    NLB_VERDICTS(NLB_VERDICT_CASE)
#undef NLB_VERDICT_CASE
  }
  return NLB_ACTION_DROP;
}

static nlb_inline void nlb_count(__u32 verdict, __u32 bytes) {
  struct nlb_counter* counter = bpf_map_lookup_elem(&nlb_counters, &verdict);

  if (counter) {
    counter->packets += 1;
    counter->bytes += bytes;
  }
}

#endif
