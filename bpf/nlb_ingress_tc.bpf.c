// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The filter in tc: correct without XDP, and the only place where an accepted frame can be typed HOST (TCP
 * drops every other type in silence) and marked for the guard. Answers ARP and neighbour solicitations for
 * virtual IP addresses. */
#include <linux/pkt_cls.h>

#include "lib/decide.h"
#include "lib/mend.h"
#include "lib/nd_answer.h"

#define NLB_PACKET_HOST 0 /* <linux/if_packet.h> */

/* XDP's decision about this frame, or NLB_UNDECIDED. */
static nlb_inline __u32 nlb_handed_over(struct __sk_buff* skb) {
  struct nlb_metadata* metadata = (void*)(long)skb->data_meta;

  if ((void*)(metadata + 1) > (void*)(long)skb->data) return NLB_UNDECIDED;
  if (metadata->magic != (NLB_METADATA_MAGIC ^ skb->ingress_ifindex)) return NLB_UNDECIDED;
  return metadata->verdict < NLB_VERDICT_COUNT ? metadata->verdict : NLB_UNDECIDED;
}

/* Makes the headers readable: a driver may leave them in a page fragment. */
static nlb_inline void nlb_pull_headers(struct __sk_buff* skb) {
  __u32 wanted = skb->len < NLB_HEADER_BYTES ? skb->len : NLB_HEADER_BYTES;

  if ((void*)(long)skb->data + wanted > (void*)(long)skb->data_end) bpf_skb_pull_data(skb, wanted);
}

static nlb_inline __u32 nlb_decide_skb(struct __sk_buff* skb, const struct nlb_view* view) {
  struct nlb_frame frame = {.ctx = skb, .bytes = skb->len, .admits = 1};
  __u32 verdict;

  nlb_pull_headers(skb);
  frame.begin = (void*)(long)skb->data;
  frame.end = (void*)(long)skb->data_end;
  if (skb->vlan_present && (skb->vlan_tci & 0x0fff)) /* tag taken off by the adapter */
    verdict = NLB_VERDICT_vlan;
  else
    verdict = nlb_decide(&frame, view);
  nlb_count(verdict, frame.bytes);
  return verdict;
}

/* XDP has looked at the heartbeat, counted it and admitted nothing: that is done here, once. */
static nlb_inline __u32 nlb_admit_heartbeat(struct __sk_buff* skb, const struct nlb_bank* bank) {
  struct nlb_frame frame = {.ctx = skb, .bytes = skb->len, .admits = 1};
  __u32 verdict;

  nlb_pull_headers(skb);
  frame.begin = (void*)(long)skb->data;
  frame.end = (void*)(long)skb->data_end;
  if (frame.begin + ETH_HLEN > frame.end || !nlb_parse_ethernet(&frame) || !nlb_find_heartbeat(&frame, bank))
    return NLB_VERDICT_bad_header;
  verdict = nlb_decide_heartbeat(&frame, bank);
  if (verdict != NLB_VERDICT_heartbeat) nlb_count(verdict, frame.bytes);
  return verdict;
}

/* The request becomes its answer and goes back out of the same interface. The cluster MAC stands in the
 * payload only: as an Ethernet source, the switch would learn it. */
static nlb_inline int nlb_answer(struct __sk_buff* skb, const struct nlb_bank* bank) {
  void *begin, *end;
  struct nlb_frame frame = {.bytes = skb->len};
  struct ethhdr* ethernet;
  struct nlb_arp* arp;

  if (bpf_skb_pull_data(skb, skb->len < NLB_HEADER_BYTES ? skb->len : NLB_HEADER_BYTES)) return TC_ACT_SHOT;
  begin = (void*)(long)skb->data;
  end = (void*)(long)skb->data_end;
  frame.begin = begin;
  frame.end = end;
  if (begin + ETH_HLEN > end || !nlb_parse_ethernet(&frame)) return TC_ACT_SHOT;
  if (frame.type == ETH_P_IPV6) return nlb_answer_nd(skb, bank, frame.network_offset);
  arp = nlb_parse_arp(frame.network, end);
  if (!arp) return TC_ACT_SHOT;

  __u8 vip[4];

  ethernet = begin;
  __builtin_memcpy(ethernet->h_dest, ethernet->h_source, 6);
  __builtin_memcpy(ethernet->h_source, bank->source_mac, 6);
  __builtin_memcpy(vip, arp->target_ip, 4);
  __builtin_memcpy(arp->target_mac, arp->sender_mac, 6);
  __builtin_memcpy(arp->target_ip, arp->sender_ip, 4);
  __builtin_memcpy(arp->sender_mac, bank->cluster_mac, 6);
  __builtin_memcpy(arp->sender_ip, vip, 4);
  arp->operation = bpf_htons(NLB_ARP_REPLY);
  return bpf_redirect(skb->ifindex, 0);
}

SEC("tc")
int nlb_ingress_tc(struct __sk_buff* skb) {
  struct nlb_view view;
  __u32 verdict;

  if (!nlb_view_open(&view)) return TC_ACT_UNSPEC;
  verdict = nlb_handed_over(skb);
  if (verdict == NLB_UNDECIDED) {
    if (nlb_mend_ethernet(skb)) return TC_ACT_SHOT;
    verdict = nlb_handed_over(skb);
  }
  if (verdict == NLB_UNDECIDED)
    verdict = nlb_decide_skb(skb, &view);
  else if (verdict == NLB_VERDICT_heartbeat)
    verdict = nlb_admit_heartbeat(skb, view.bank);

  switch (nlb_action_of(verdict)) {
    case NLB_ACTION_PASS:
      return TC_ACT_UNSPEC;
    case NLB_ACTION_ACCEPT:
      skb->mark |= NLB_MARK;
      bpf_skb_change_type(skb, NLB_PACKET_HOST);
      return TC_ACT_UNSPEC;
    case NLB_ACTION_ASK:
      skb->mark |= NLB_MARK | NLB_MARK_ASK;
      bpf_skb_change_type(skb, NLB_PACKET_HOST);
      return TC_ACT_UNSPEC;
    case NLB_ACTION_HOST:
      bpf_skb_change_type(skb, NLB_PACKET_HOST);
      return TC_ACT_UNSPEC;
    case NLB_ACTION_ANSWER:
      return nlb_answer(skb, view.bank);
    default:
      return TC_ACT_SHOT;
  }
}

char _license[] SEC("license") = "Dual BSD/GPL";
