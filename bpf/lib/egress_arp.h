/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ARP, outward. No frame of this host may bind a virtual IP address to a MAC other than the cluster MAC, nor
 * the cluster MAC to another address. What can be mended is, the rest is not sent.
 *
 * - A request with a virtual address as sender and another MAC: asked on behalf of the dedicated address
 *   instead; dropped where there is none.
 * - An answer or announcement of a virtual address: dropped where the host is not bound, else mended to the
 *   cluster MAC.
 * - Another sender address with the cluster MAC (`replace`): mended to the masked MAC.
 * - A probe (sender 0.0.0.0) binds nothing and is left alone: the proof before bind sends the cluster MAC in
 *   one. */
#ifndef NLB_BPF_EGRESS_ARP_H
#define NLB_BPF_EGRESS_ARP_H

#include <linux/pkt_cls.h>

#include "arp.h"
#include "verdict.h"

#define NLB_ARP_SENDER_OFFSET (ETH_HLEN + 8)

struct nlb_arp_sender {
  __u8 mac[6];
  __u8 ip[4];
};

static nlb_inline __u32 nlb_write_sender(struct __sk_buff* skb, const __u8* mac, const __u8* ip) {
  struct nlb_arp_sender sender;

  __builtin_memcpy(sender.mac, mac, 6);
  __builtin_memcpy(sender.ip, ip, 4);
  if (bpf_skb_store_bytes(skb, NLB_ARP_SENDER_OFFSET, &sender, sizeof(sender), 0))
    return NLB_VERDICT_arp_blocked;
  return NLB_VERDICT_arp_mended;
}

static nlb_inline __u32 nlb_send_arp_of_vip(struct __sk_buff* skb, const struct nlb_bank* bank,
                                            const struct nlb_arp* arp) {
  __be32 sender = nlb_arp_address(arp->sender_ip);
  int announces = arp->operation != bpf_htons(NLB_ARP_REQUEST) || nlb_arp_address(arp->target_ip) == sender;
  int cluster = nlb_is_cluster_mac(bank, arp->sender_mac);
  __u32 dedicated = bank->dedicated_ip;

  if (!announces && !cluster) {
    if (!dedicated) return NLB_VERDICT_arp_blocked;
    return nlb_write_sender(skb, bank->source_mac, (const __u8*)&dedicated);
  }
  if (!(bank->flags & NLB_BANK_BOUND)) return NLB_VERDICT_arp_blocked;
  if (cluster) return NLB_VERDICT_sent;
  return nlb_write_sender(skb, bank->cluster_mac, (const __u8*)&sender);
}

static nlb_inline __u32 nlb_send_arp(struct __sk_buff* skb, const struct nlb_bank* bank,
                                     const struct nlb_arp* arp) {
  __be32 sender = nlb_arp_address(arp->sender_ip);

  if (nlb_vip_number(bank, sender)) return nlb_send_arp_of_vip(skb, bank, arp);
  if (sender && nlb_is_cluster_mac(bank, arp->sender_mac))
    return nlb_write_sender(skb, bank->source_mac, (const __u8*)&sender);
  return NLB_VERDICT_sent;
}

/* Reverse ARP asks for, or tells, the address of a MAC; about the cluster MAC nothing may be said. */
static nlb_inline __u32 nlb_send_rarp(const struct nlb_bank* bank, void* begin, void* end) {
  struct nlb_arp* arp = begin + ETH_HLEN;

  if (nlb_is_cluster_mac(bank, begin + 6)) return NLB_VERDICT_rarp_blocked;
  if ((void*)(arp + 1) > end) return NLB_VERDICT_sent;
  if (nlb_is_cluster_mac(bank, arp->sender_mac) || nlb_is_cluster_mac(bank, arp->target_mac))
    return NLB_VERDICT_rarp_blocked;
  return NLB_VERDICT_sent;
}

#endif
