/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Extended affinity: notes that a client came to a bucket of ours. What is noted and why: nlb/abi/visit.h. */
#ifndef NLB_BPF_VISIT_H
#define NLB_BPF_VISIT_H

#include "bucket.h"

static nlb_inline int nlb_is_extended(const struct nlb_bank* bank, __u32 slot) {
  return slot < NLB_MAX_SLOTS && (bank->slots[slot].flags & NLB_SLOT_EXTENDED);
}

static nlb_inline int nlb_has_bits(__u64 word, __u64 bits) {
  return (word & bits) == bits;
}

/* `hash` of the client of a flow in an owned bucket of an extended slot, whose frame was accepted. */
static nlb_inline void nlb_note_visit(const struct nlb_view* view, __u32 slot, __u64 hash) {
  __u64 bits = nlb_recall_bits(hash);
  __u32 cell = nlb_recall_cell(hash, slot), bucket = nlb_bucket_of_hash(hash);
  __u32 current = *(const volatile __u32*)&view->control->recall_generation & (NLB_RECALL_GENERATIONS - 1);
  struct nlb_visit_row* row = bpf_map_lookup_elem(&nlb_visits, &slot);
  struct nlb_recall* recall = bpf_map_lookup_elem(&nlb_recalls, &cell);

  if (!row || !recall) return;
  if (!nlb_has_bits(recall->clients[current], bits)) {
    if (*(const volatile __u8*)&row->kept[bucket] &&
        !nlb_has_bits(recall->clients[(current + 1) & (NLB_RECALL_GENERATIONS - 1)], bits))
      return;
    __sync_fetch_and_or(&recall->clients[current], bits);
  }
  if (!*(const volatile __u8*)&row->seen[bucket]) *(volatile __u8*)&row->seen[bucket] = 1;
}

#endif
