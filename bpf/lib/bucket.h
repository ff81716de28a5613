/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From a flow to the state of its bucket: port -> slot (one read), client -> bucket (one hash), state (one
 * read). */
#ifndef NLB_BPF_BUCKET_H
#define NLB_BPF_BUCKET_H

#include "bank.h"

struct nlb_flow {
  __u32 client[4], vip[4]; /* network order; IPv4 in the last word, the others are not set */
  __be16 client_port, vip_port;
  __u32 vip_number;
  __u32 slot;
  __u8 ipv6;
};

static nlb_inline void nlb_copy_address6(__u32* to, const __u32* from) {
  to[0] = from[0];
  to[1] = from[1];
  to[2] = from[2];
  to[3] = from[3];
}

/* Into a key of a map: IPv4 is v4-mapped there. */
static nlb_inline void nlb_key_address(__u32* key, const __u32* address, int ipv6) {
  key[0] = ipv6 ? address[0] : 0;
  key[1] = ipv6 ? address[1] : 0;
  key[2] = ipv6 ? address[2] : bpf_htonl(0xffff);
  key[3] = address[3];
}

/* Slot of a TCP or UDP port of a virtual IP address. */
static nlb_inline __u32 nlb_port_slot(const struct nlb_view* view, __u32 vip_number, __u32 table,
                                      __be16 port_be) {
  __u32 port = bpf_ntohs(port_be);
  __u32 index = nlb_port_index(view->bank_index, vip_number - 1, table, port);
  const struct nlb_port_block* block = bpf_map_lookup_elem(&nlb_ports, &index);

  return block ? block->slots[port % NLB_PORTS_PER_BLOCK] : NLB_SLOT_DEFAULT;
}

/* Of whom the affinity takes for one client. */
static nlb_inline __u64 nlb_client_hash(const struct nlb_bank* bank, const struct nlb_flow* flow) {
  __u32 affinity, port = bpf_ntohs(flow->client_port);

  if (flow->slot >= NLB_MAX_SLOTS) return 0;
  affinity = bank->slots[flow->slot].affinity;
  if (!flow->ipv6)
    return nlb_client_v4(bank->seed[0], bank->seed[1], affinity, bpf_ntohl(flow->client[3]), port);

  __u32 client[4] = {bpf_ntohl(flow->client[0]), bpf_ntohl(flow->client[1]), bpf_ntohl(flow->client[2]),
                     bpf_ntohl(flow->client[3])};

  return nlb_client_v6(bank->seed[0], bank->seed[1], affinity, client, port);
}

static nlb_inline __u32 nlb_bucket_of(const struct nlb_bank* bank, const struct nlb_flow* flow) {
  return nlb_bucket_of_hash(nlb_client_hash(bank, flow));
}

/* NLB_BUCKET_* of a bucket; an unknown slot is foreign. */
static nlb_inline __u32 nlb_state_of(__u32 slot, __u32 bucket) {
  const struct nlb_bucket_row* row = bpf_map_lookup_elem(&nlb_buckets, &slot);

  return row ? *(const volatile __u8*)&row->states[bucket & (NLB_BUCKET_COUNT - 1)] : 0;
}

static nlb_inline __u32 nlb_bucket_state(const struct nlb_bank* bank, const struct nlb_flow* flow) {
  return nlb_state_of(flow->slot, nlb_bucket_of(bank, flow));
}

#endif
