/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Neighbour discovery, outward, under `replace`: the kernel believes the cluster MAC to be the adapter's own
 * and says so in the link-layer address option of its IPv6 addresses. The first option of router
 * solicitations, neighbour solicitations and advertisements is mended to the masked MAC (RFC 4861
 * section 4.6.1; checksum by difference). */
#ifndef NLB_BPF_EGRESS_ND_H
#define NLB_BPF_EGRESS_ND_H

#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include "bank.h"

#define NLB_ND_ROUTER_SOLICITATION 133
#define NLB_ND_NEIGHBOUR_SOLICITATION 135
#define NLB_ND_NEIGHBOUR_ADVERTISEMENT 136
#define NLB_ICMPV6_OFFSET (ETH_HLEN + 40)
#define NLB_IPPROTO_ICMPV6 58

struct nlb_nd_option { /* source or target link-layer address */
  __u8 type, length;
  __u8 mac[6];
};

static nlb_inline __u32 nlb_nd_option_offset(__u8 type) {
  if (type == NLB_ND_ROUTER_SOLICITATION) return NLB_ICMPV6_OFFSET + 8;
  if (type == NLB_ND_NEIGHBOUR_SOLICITATION || type == NLB_ND_NEIGHBOUR_ADVERTISEMENT)
    return NLB_ICMPV6_OFFSET + 24;
  return 0;
}

static nlb_inline __u32 nlb_send_ipv6(struct __sk_buff* skb, const struct nlb_bank* bank, void* begin,
                                      void* end) {
  struct ipv6hdr* ip = begin + ETH_HLEN;
  struct icmp6hdr* icmp = (void*)(ip + 1);
  struct nlb_nd_option old, mended;
  __u32 offset;
  __s64 difference;

  if (!(bank->flags & NLB_BANK_REPLACE) || (void*)(icmp + 1) > end || ip->nexthdr != NLB_IPPROTO_ICMPV6)
    return NLB_VERDICT_sent;
  offset = nlb_nd_option_offset(icmp->icmp6_type);
  if (!offset || bpf_skb_load_bytes(skb, offset, &old, sizeof(old))) return NLB_VERDICT_sent;
  if ((old.type != 1 && old.type != 2) || old.length != 1 || !nlb_is_cluster_mac(bank, old.mac))
    return NLB_VERDICT_sent;
  mended = old;
  __builtin_memcpy(mended.mac, bank->source_mac, 6);
  difference = bpf_csum_diff((__be32*)&old, sizeof(old), (__be32*)&mended, sizeof(mended), 0);
  bpf_skb_store_bytes(skb, offset, &mended, sizeof(mended), 0);
  bpf_l4_csum_replace(skb, NLB_ICMPV6_OFFSET + 2, 0, (__u64)difference, BPF_F_PSEUDO_HDR);
  return NLB_VERDICT_nd_mended;
}

#endif
