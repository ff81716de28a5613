/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Extended affinity in the filter: which buckets were visited, and by whom. Used for rules with a timeout
 * alone, and without a clock: the daemon reads and clears `seen` each second.
 *
 * A client is remembered in a Bloom filter whose cells are single words: four bits in one of 2^17 words,
 * chosen by the client's hash and the slot, so that a question is one read. Two generations stand beside each
 * other; the daemon clears the older one and makes it the current one each longest timeout, so a client is
 * remembered for one to two timeouts. In a kept bucket only those that are remembered are remembered again,
 * and only they count as a visit: whoever came first after the bucket was kept does not prolong it.
 *
 * 100,000 clients of one generation: one in 10,000 newcomers is taken for one that returns; 1,000,000: one in
 * 25. A bit is never lost, so nobody who returns is taken for a newcomer. */
#ifndef NLB_ABI_VISIT_H
#define NLB_ABI_VISIT_H

#include "filter.h"

#define NLB_RECALL_CELL_BITS 17
#define NLB_RECALL_CELLS (1 << NLB_RECALL_CELL_BITS)
#define NLB_RECALL_GENERATIONS 2

struct nlb_visit_row {
  __u8 kept[NLB_BUCKET_COUNT]; /* written by the daemon: only clients that are remembered count */
  __u8 seen[NLB_BUCKET_COUNT]; /* written by the filter: one that counts came; cleared by the daemon */
};
NLB_ASSERT(sizeof(struct nlb_visit_row) == 2 * NLB_BUCKET_COUNT);

struct nlb_recall {
  __u64 clients[NLB_RECALL_GENERATIONS];
};
NLB_ASSERT(sizeof(struct nlb_recall) == 16);

/* `hash`: of the client, before it was cut down to a bucket. */
static inline __attribute__((always_inline)) __u32 nlb_recall_cell(__u64 hash, __u32 slot) {
  return ((__u32)(hash >> 12) + slot * 0x9e3779b1U) & (NLB_RECALL_CELLS - 1);
}

static inline __attribute__((always_inline)) __u64 nlb_recall_bits(__u64 hash) {
  return 1ULL << (hash >> 58) | 1ULL << (hash >> 52 & 63) | 1ULL << (hash >> 46 & 63) |
         1ULL << (hash >> 40 & 63);
}

#endif
