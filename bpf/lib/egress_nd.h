/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Neighbour discovery, outward: what egress_arp.h is for IPv4. No frame of this host may bind a virtual IP
 * address to a MAC other than the cluster MAC, nor the cluster MAC to another address. What can be mended is,
 * with its checksum by difference; the rest is not sent.
 *
 * - A solicitation with a virtual address as source and another MAC (the kernel asks so for a client that it
 *   answers): asked on behalf of the dedicated address instead; not sent where there is none.
 * - Anything else that claims a virtual address: not sent where the host is not bound, else mended to the
 *   cluster MAC.
 * - Another address with the cluster MAC (`replace`: the kernel believes it to be the adapter's own): mended
 *   to the MAC that this host sends from.
 *
 * Where the claim cannot be read (malformed, the option twice, behind more extension headers than are walked)
 * the message is not sent if it is about a virtual address, or may be. */
#ifndef NLB_BPF_EGRESS_ND_H
#define NLB_BPF_EGRESS_ND_H

#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include "bank.h"
#include "extension.h"
#include "nd.h"

#define NLB_IPV6_SOURCE_OFFSET (ETH_HLEN + 8)
#define NLB_ICMPV6_CHECKSUM_OFFSET 2

static nlb_inline void nlb_mend_sum(struct __sk_buff* skb, const struct nlb_nd* nd, __s64 difference) {
  bpf_l4_csum_replace(skb, nd->offset + NLB_ICMPV6_CHECKSUM_OFFSET, 0, (__u64)difference, BPF_F_PSEUDO_HDR);
}

static nlb_inline __u32 nlb_write_nd_mac(struct __sk_buff* skb, const struct nlb_nd* nd, const __u8* mac) {
  struct nlb_nd_option old, mended;

  if (nd->options != 1 || bpf_skb_load_bytes(skb, nd->option_offset, &old, sizeof(old)))
    return NLB_VERDICT_nd_blocked;
  mended = old;
  __builtin_memcpy(mended.mac, mac, 6);
  if (bpf_skb_store_bytes(skb, nd->option_offset, &mended, sizeof(mended), 0)) return NLB_VERDICT_nd_blocked;
  nlb_mend_sum(skb, nd, bpf_csum_diff((__be32*)&old, sizeof(old), (__be32*)&mended, sizeof(mended), 0));
  return NLB_VERDICT_nd_mended;
}

static nlb_inline __u32 nlb_ask_for_dedicated(struct __sk_buff* skb, const struct nlb_bank* bank,
                                              const struct nlb_nd* nd, __u32* source) {
  __u32 dedicated[4];

  if (!bank->dedicated6_set) return NLB_VERDICT_nd_blocked;
  __builtin_memcpy(dedicated, bank->dedicated6.words, sizeof(dedicated));
  if (bpf_skb_store_bytes(skb, NLB_IPV6_SOURCE_OFFSET, dedicated, sizeof(dedicated), 0))
    return NLB_VERDICT_nd_blocked;
  nlb_mend_sum(skb, nd, bpf_csum_diff(source, sizeof(dedicated), dedicated, sizeof(dedicated), 0));
  if (!nd->options || nlb_mac_equal(nd->mac, bank->source_mac)) return NLB_VERDICT_nd_mended;
  return nlb_write_nd_mac(skb, nd, bank->source_mac);
}

static nlb_inline __u32 nlb_send_nd_of_vip(struct __sk_buff* skb, const struct nlb_bank* bank,
                                           const struct nlb_nd* nd, __u32* source) {
  int cluster = nd->options && nlb_is_cluster_mac(bank, nd->mac);

  if (nd->type == NLB_ND_NEIGHBOUR_SOLICITATION && !cluster)
    return nlb_ask_for_dedicated(skb, bank, nd, source);
  if (!(bank->flags & NLB_BANK_BOUND)) return NLB_VERDICT_nd_blocked;
  if (cluster || !nd->options) return NLB_VERDICT_sent;
  return nlb_write_nd_mac(skb, nd, bank->cluster_mac);
}

/* nd->offset and nd->end are known. */
static nlb_inline __u32 nlb_send_nd(struct __sk_buff* skb, const struct nlb_bank* bank, struct nlb_nd* nd) {
  __u32 source[4], target[4] = {};
  int of_vip, sound;

  if (bpf_skb_load_bytes(skb, nd->offset, &nd->type, 1) || !nlb_is_nd(nd->type)) return NLB_VERDICT_sent;
  if (bpf_skb_load_bytes(skb, NLB_IPV6_SOURCE_OFFSET, source, sizeof(source))) return NLB_VERDICT_sent;
  if (nlb_nd_has_target(nd->type) &&
      bpf_skb_load_bytes(skb, nd->offset + NLB_ND_TARGET_OFFSET, target, sizeof(target)))
    return NLB_VERDICT_sent; /* nobody listens to that */
  of_vip = nlb_vip6_number(bank, nlb_nd_binds_target(nd->type) ? target : source) != 0;
  sound = nlb_read_nd(skb, nd);
  if (!sound) return of_vip ? NLB_VERDICT_nd_blocked : NLB_VERDICT_sent;
  if (of_vip) return nlb_send_nd_of_vip(skb, bank, nd, source);
  if (nd->options && nlb_is_cluster_mac(bank, nd->mac)) return nlb_write_nd_mac(skb, nd, bank->source_mac);
  return NLB_VERDICT_sent;
}

/* A packet with ICMPv6 or an extension header behind the IPv6 header. */
static nlb_inline __u32 nlb_send_icmpv6(struct __sk_buff* skb, const struct nlb_bank* bank, __u8 next_header,
                                        __u32 payload_bytes) {
  struct nlb_upper upper = {.offset = ETH_HLEN + sizeof(struct ipv6hdr), .protocol = next_header};
  struct nlb_nd nd = {.end = upper.offset + payload_bytes};

  if (nlb_is_extension(next_header) && !nlb_find_upper(skb, &upper)) return NLB_VERDICT_nd_blocked;
  if (upper.later || upper.protocol != NLB_NEXT_ICMPV6) return NLB_VERDICT_sent;
  nd.offset = upper.offset;
  return nlb_send_nd(skb, bank, &nd);
}

#endif
