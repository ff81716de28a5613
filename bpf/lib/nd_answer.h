/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A neighbour solicitation for a virtual IP address becomes its answer (RFC 4861 section 7.2.4): written
 * anew, because the question may lack the option that the answer must carry. The cluster MAC stands in the
 * payload only: as an Ethernet source, the switch would learn it. */
#ifndef NLB_BPF_ND_ANSWER_H
#define NLB_BPF_ND_ANSWER_H

#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include "nd_inward.h"

#define NLB_ND_SOLICITED 0x40000000U
#define NLB_ND_OVERRIDE 0x20000000U

struct nlb_nd_answer {
  __be32 first; /* version, class, flow; of the pseudo header: length */
  __be16 payload_bytes;
  __u8 next_header, hop_limit;
  __u32 source[4], destination[4];
  __u8 type, code;
  __u16 checksum;
  __be32 flags;
  __u32 target[4];
  struct nlb_nd_option option;
};
NLB_ASSERT(sizeof(struct nlb_nd_answer) == 72);
#define NLB_ND_ANSWER_ICMP_BYTES 32

static nlb_inline __u16 nlb_fold_checksum(__s64 sum) {
  __u64 folded = (__u64)sum;

  folded = (folded & 0xffffffff) + (folded >> 32);
  folded = (folded & 0xffff) + (folded >> 16);
  folded = (folded & 0xffff) + (folded >> 16);
  folded = (folded & 0xffff) + (folded >> 16);
  return (__u16)~folded;
}

/* RFC 8200 section 8.1: over a pseudo header, which takes as much room as the header that follows. */
static nlb_inline void nlb_seal_nd_answer(struct nlb_nd_answer* answer) {
  answer->first = bpf_htonl(NLB_ND_ANSWER_ICMP_BYTES);
  answer->payload_bytes = 0;
  answer->next_header = 0;
  answer->hop_limit = NLB_NEXT_ICMPV6;
  answer->checksum = 0;
  answer->checksum = nlb_fold_checksum(bpf_csum_diff(0, 0, (__be32*)answer, sizeof(*answer), 0));
  answer->first = bpf_htonl(0x60000000);
  answer->payload_bytes = bpf_htons(NLB_ND_ANSWER_ICMP_BYTES);
  answer->next_header = NLB_NEXT_ICMPV6;
  answer->hop_limit = NLB_ND_HOP_LIMIT;
}

/* To who asked; to all nodes (ff02::1) where the question came from the unspecified address, which is
 * duplicate address detection. True when it did. */
static nlb_inline int nlb_address_nd_answer(struct nlb_nd_answer* answer, const __u32* asker) {
  int unspecified = (asker[0] | asker[1] | asker[2] | asker[3]) == 0;

  answer->flags = bpf_htonl(unspecified ? NLB_ND_OVERRIDE : NLB_ND_SOLICITED | NLB_ND_OVERRIDE);
  answer->destination[0] = unspecified ? bpf_htonl(0xff020000) : asker[0];
  answer->destination[1] = asker[1];
  answer->destination[2] = asker[2];
  answer->destination[3] = unspecified ? bpf_htonl(1) : asker[3];
  return unspecified;
}

static nlb_inline int nlb_address_nd_frame(struct __sk_buff* skb, const struct nlb_bank* bank,
                                           int to_all_nodes) {
  static const __u8 all_nodes[6] __attribute__((aligned(2))) = {0x33, 0x33, 0, 0, 0, 1};
  __u8 macs[12] __attribute__((aligned(4))); /* destination, source */

  if (bpf_skb_load_bytes(skb, 6, macs, 6)) return 0;
  if (to_all_nodes) __builtin_memcpy(macs, all_nodes, 6);
  __builtin_memcpy(macs + 6, bank->source_mac, 6);
  return !bpf_skb_store_bytes(skb, 0, macs, sizeof(macs), 0);
}

/* `network_offset` of the IPv6 header. A function of its own for the sake of its caller's stack. */
static __attribute__((noinline)) int nlb_answer_nd(struct __sk_buff* skb, const struct nlb_bank* bank,
                                                   __u32 network_offset) {
  struct nlb_upper upper = {.offset = network_offset + sizeof(struct ipv6hdr)};
  struct nlb_nd_answer answer = {.type = NLB_ND_NEIGHBOUR_ADVERTISEMENT, .option = {.type = 2, .units = 1}};
  __u32 asker[4];

  if (bpf_skb_load_bytes(skb, network_offset + 6, &upper.protocol, 1) || !nlb_find_upper(skb, &upper))
    return TC_ACT_SHOT;
  if (bpf_skb_load_bytes(skb, network_offset + 8, asker, sizeof(asker))) return TC_ACT_SHOT;
  if (bpf_skb_load_bytes(skb, upper.offset + NLB_ND_TARGET_OFFSET, answer.target, sizeof(answer.target)))
    return TC_ACT_SHOT;
  __builtin_memcpy(answer.source, answer.target, sizeof(answer.source));
  __builtin_memcpy(answer.option.mac, bank->cluster_mac, 6);

  int to_all_nodes = nlb_address_nd_answer(&answer, asker);

  nlb_seal_nd_answer(&answer);
  if (bpf_skb_change_tail(skb, network_offset + sizeof(answer), 0)) return TC_ACT_SHOT;
  if (bpf_skb_store_bytes(skb, network_offset, &answer, sizeof(answer), 0)) return TC_ACT_SHOT;
  if (!nlb_address_nd_frame(skb, bank, to_all_nodes)) return TC_ACT_SHOT;
  return bpf_redirect(skb->ifindex, 0);
}

#endif
