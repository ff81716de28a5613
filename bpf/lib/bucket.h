/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From a flow to the state of its bucket: port -> slot (one read), client -> bucket (one hash), state (one
 * read). */
#ifndef NLB_BPF_BUCKET_H
#define NLB_BPF_BUCKET_H

#include "bank.h"

struct nlb_flow {
  __be32 client, vip;
  __be16 client_port, vip_port;
  __u32 vip_number;
  __u32 slot;
};

/* Slot of a TCP or UDP port of a virtual IP address. */
static nlb_inline __u32 nlb_port_slot(const struct nlb_view* view, __u32 vip_number, __u32 table,
                                      __be16 port_be) {
  __u32 port = bpf_ntohs(port_be);
  __u32 index = nlb_port_index(view->bank_index, vip_number - 1, table, port);
  const struct nlb_port_block* block = bpf_map_lookup_elem(&nlb_ports, &index);

  return block ? block->slots[port % NLB_PORTS_PER_BLOCK] : NLB_SLOT_DEFAULT;
}

static nlb_inline __u32 nlb_bucket_of(const struct nlb_bank* bank, const struct nlb_flow* flow) {
  if (flow->slot >= NLB_MAX_SLOTS) return 0;
  return nlb_bucket_v4(bank->seed[0], bank->seed[1], bank->slots[flow->slot].affinity,
                       bpf_ntohl(flow->client), bpf_ntohs(flow->client_port));
}

/* NLB_BUCKET_* of the flow's bucket; an unknown slot is foreign. */
static nlb_inline __u32 nlb_bucket_state(const struct nlb_bank* bank, const struct nlb_flow* flow) {
  __u32 slot = flow->slot, bucket = nlb_bucket_of(bank, flow);
  const struct nlb_bucket_row* row = bpf_map_lookup_elem(&nlb_buckets, &slot);

  return row ? *(const volatile __u8*)&row->states[bucket & (NLB_BUCKET_COUNT - 1)] : 0;
}

#endif
