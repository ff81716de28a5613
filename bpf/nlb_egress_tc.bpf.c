// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The way out: the cluster MAC is never an Ethernet source, no payload binds a virtual IP address wrongly,
 * and a doubtful reset waits. Stays attached when the host serves nothing: somebody may have added the
 * address by hand. */
#include <linux/pkt_cls.h>

#include "lib/egress_arp.h"
#include "lib/egress_nd.h"
#include "lib/egress_reset.h"

#define NLB_SOURCE_MAC_OFFSET 6
#define NLB_EGRESS_HEADER_BYTES 96 /* Ethernet, IP with options, TCP */

/* A function of its own: IPv4's way stays as short as it was. */
static __attribute__((noinline)) __u32 nlb_send_ipv6(struct __sk_buff* skb, const struct nlb_view* view) {
  void *begin = (void*)(long)skb->data, *end = (void*)(long)skb->data_end;
  struct ipv6hdr* ip = begin + ETH_HLEN;

  if ((void*)(ip + 1) > end) return NLB_VERDICT_sent;
  if (ip->nexthdr == NLB_NEXT_TCP) return nlb_send_tcp6(view, ip, end);
  if (ip->nexthdr != NLB_NEXT_ICMPV6 && !nlb_is_extension(ip->nexthdr)) return NLB_VERDICT_sent;
  return nlb_send_icmpv6(skb, view->bank, ip->nexthdr, bpf_ntohs(ip->payload_len));
}

/* Frames with a VLAN tag belong to another device, whose MAC the cluster MAC may be: their payload is left
 * alone. */
static nlb_inline __u32 nlb_send_payload(struct __sk_buff* skb, const struct nlb_view* view, void* begin,
                                         void* end) {
  struct ethhdr* ethernet = begin;
  struct nlb_arp* arp;

  if (begin + ETH_HLEN > end || skb->vlan_present) return NLB_VERDICT_sent;
  switch (bpf_ntohs(ethernet->h_proto)) {
    case ETH_P_IP:
      return nlb_send_ipv4(view, begin, end);
    case ETH_P_ARP:
      arp = nlb_parse_arp(begin + ETH_HLEN, end);
      return arp ? nlb_send_arp(skb, view->bank, arp) : NLB_VERDICT_sent;
    case ETH_P_RARP:
      return nlb_send_rarp(view->bank, begin, end);
    case ETH_P_IPV6:
      return nlb_send_ipv6(skb, view);
    default:
      return NLB_VERDICT_sent;
  }
}

/* True when the cluster MAC was the source and no longer is. */
static nlb_inline int nlb_mask_source(struct __sk_buff* skb, const struct nlb_bank* bank) {
  __u8 source[6], mask[6];

  if (bpf_skb_load_bytes(skb, NLB_SOURCE_MAC_OFFSET, source, sizeof(source))) return 0;
  if (!nlb_is_cluster_mac(bank, source)) return 0;
  __builtin_memcpy(mask, bank->masked_mac, 6);
  return bpf_skb_store_bytes(skb, NLB_SOURCE_MAC_OFFSET, mask, sizeof(mask), 0) == 0;
}

static nlb_inline void nlb_pull_send_headers(struct __sk_buff* skb) {
  __u32 wanted = skb->len < NLB_EGRESS_HEADER_BYTES ? skb->len : NLB_EGRESS_HEADER_BYTES;
  __u32 enough = skb->len < ETH_HLEN + 40 ? skb->len : ETH_HLEN + 40;

  if ((void*)(long)skb->data + enough > (void*)(long)skb->data_end) bpf_skb_pull_data(skb, wanted);
}

SEC("tc")
int nlb_egress_tc(struct __sk_buff* skb) {
  struct nlb_view view;
  __u32 verdict;

  if (!nlb_view_open(&view)) return TC_ACT_UNSPEC;
  nlb_pull_send_headers(skb);
  verdict = nlb_send_payload(skb, &view, (void*)(long)skb->data, (void*)(long)skb->data_end);
  if (nlb_action_of(verdict) != NLB_ACTION_DROP && nlb_mask_source(skb, view.bank) &&
      verdict == NLB_VERDICT_sent)
    verdict = NLB_VERDICT_masked;
  nlb_count(verdict, skb->len);
  return nlb_action_of(verdict) == NLB_ACTION_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual BSD/GPL";
