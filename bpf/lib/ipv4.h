/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* IPv4, inward: is it for a virtual IP address, is its header sound, is it a fragment. */
#ifndef NLB_BPF_IPV4_H
#define NLB_BPF_IPV4_H

#include "fragment.h"
#include "transport.h"
#include "verdict.h"

/* Payload length by the header, or -1 for a header that lies. A frame may be longer (padding), never shorter;
 * a merged one (BIG TCP) is longer than the header can say and says 0. */
static nlb_inline int nlb_ipv4_payload_bytes(const struct nlb_frame* frame, const struct iphdr* ip) {
  __u32 header_bytes = ip->ihl * 4U, total = bpf_ntohs(ip->tot_len);
  __u32 available = frame->bytes - frame->network_offset;

  if (total == 0 && available > 65535) total = available;
  if (ip->version != 4 || header_bytes < sizeof(*ip) || total < header_bytes || total > available) return -1;
  return (int)(total - header_bytes);
}

/* IGMP queries to a group go to the group's MAC, which under mode igmp is the cluster MAC: the kernel must
 * hear them, or the switch would stop forwarding. */
static nlb_inline int nlb_is_group_query(const struct iphdr* ip) {
  return ip->protocol == IPPROTO_IGMP && (bpf_ntohl(ip->daddr) >> 28) == 14;
}

static nlb_inline __u32 nlb_decide_ipv4(struct nlb_frame* frame, const struct nlb_view* view) {
  struct iphdr* ip = frame->network;
  struct nlb_packet packet = {};

  if ((void*)(ip + 1) > frame->end) return NLB_UNDECIDED;
  packet.flow.vip_number = nlb_vip_number(view->bank, ip->daddr);
  if (!packet.flow.vip_number) return nlb_is_group_query(ip) ? NLB_VERDICT_passed : NLB_UNDECIDED;
  if (!(view->bank->flags & NLB_BANK_BOUND)) return NLB_VERDICT_not_bound;

  int payload_bytes = nlb_ipv4_payload_bytes(frame, ip);
  __u32 fragment = bpf_ntohs(ip->frag_off), offset = fragment & NLB_IP_OFFSET_MASK;

  if (payload_bytes < 0 || (offset == 1 && ip->protocol == IPPROTO_TCP)) /* RFC 3128: would overwrite flags */
    return NLB_VERDICT_bad_header;
  if (offset) return nlb_judge_later_fragment(ip);

  packet.ip = ip;
  packet.payload = (void*)ip + ip->ihl * 4;
  packet.payload_bytes = (__u32)payload_bytes;
  packet.fragmented = (fragment & NLB_IP_MORE_FRAGMENTS) != 0;
  packet.flow.client = ip->saddr;
  packet.flow.vip = ip->daddr;
  packet.flow.slot = NLB_SLOT_DEFAULT;

  __u32 verdict = nlb_judge_packet(frame, view, &packet);

  if (packet.fragmented && nlb_action_of(verdict) == NLB_ACTION_ACCEPT) nlb_remember_fragment(ip);
  return verdict;
}

#endif
