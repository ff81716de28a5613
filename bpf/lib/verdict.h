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

/* The packet may reach the stack: further fragments of it may, too. */
static nlb_inline int nlb_lets_in(__u32 verdict) {
  enum nlb_action action = nlb_action_of(verdict);

  return action == NLB_ACTION_ACCEPT || action == NLB_ACTION_ASK;
}

static nlb_inline void nlb_count(__u32 verdict, __u32 bytes) {
  struct nlb_counter* counter = bpf_map_lookup_elem(&nlb_counters, &verdict);

  if (counter) {
    counter->packets += 1;
    counter->bytes += bytes;
  }
}

#endif
