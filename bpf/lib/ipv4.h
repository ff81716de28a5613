/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* IPv4, inward: is it for a virtual IP address, is its header sound, is it a fragment; and ICMP. */
#ifndef NLB_BPF_IPV4_H
#define NLB_BPF_IPV4_H

#include <linux/in.h>
#include <linux/ip.h>

#include "transport.h"
#include "verdict.h"

/* RFC 792; <linux/icmp.h> drags the C library in */
#define NLB_ICMP_UNREACHABLE 3
#define NLB_ICMP_SOURCE_QUENCH 4
#define NLB_ICMP_REDIRECT 5
#define NLB_ICMP_ECHO 8
#define NLB_ICMP_TIME_EXCEEDED 11
#define NLB_ICMP_PARAMETER_PROBLEM 12

struct nlb_icmp {
  __u8 type, code;
  __be16 checksum;
  __be32 rest;
};

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

static nlb_inline int nlb_is_icmp_error(__u8 type) {
  return type == NLB_ICMP_UNREACHABLE || type == NLB_ICMP_SOURCE_QUENCH || type == NLB_ICMP_REDIRECT ||
         type == NLB_ICMP_TIME_EXCEEDED || type == NLB_ICMP_PARAMETER_PROBLEM;
}

/* An error is about a packet that some host sent from the virtual IP address; which host, only its socket
 * knows. Without the socket it has no effect, so every host with a lease accepts it. */
static nlb_inline __u32 nlb_judge_icmp_error(struct nlb_frame* frame, const struct nlb_view* view,
                                             const struct nlb_packet* packet) {
  struct nlb_icmp* icmp = packet->payload;
  struct iphdr* inner = (void*)(icmp + 1);

  if ((void*)(inner + 1) > frame->end || packet->payload_bytes < sizeof(*icmp) + sizeof(*inner))
    return NLB_VERDICT_bad_header;
  if (!nlb_vip_number(view->bank, inner->saddr)) return NLB_VERDICT_icmp_unrelated;
  return nlb_lease_valid(view->control) ? NLB_VERDICT_icmp_error : NLB_VERDICT_no_lease;
}

static nlb_inline __u32 nlb_parse_icmp(struct nlb_frame* frame, const struct nlb_view* view,
                                       struct nlb_packet* packet) {
  struct nlb_icmp* icmp = packet->payload;

  if ((void*)(icmp + 1) > frame->end || packet->payload_bytes < sizeof(*icmp)) return NLB_VERDICT_bad_header;
  if (nlb_is_icmp_error(icmp->type)) return nlb_judge_icmp_error(frame, view, packet);
  if (icmp->type == NLB_ICMP_ECHO) packet->flow.slot = NLB_SLOT_ECHO;
  return NLB_UNDECIDED;
}

static nlb_inline __u32 nlb_parse_ipv4_payload(struct nlb_frame* frame, const struct nlb_view* view,
                                               struct nlb_packet* packet) {
  struct tcphdr* tcp = packet->payload;
  struct udphdr* udp = packet->payload;
  struct nlb_ports* ports = packet->payload;

  switch (packet->protocol) {
    case IPPROTO_TCP:
      return (void*)(tcp + 1) > frame->end ? NLB_VERDICT_bad_header : nlb_read_tcp(view, packet, tcp);
    case IPPROTO_UDP:
      return (void*)(udp + 1) > frame->end ? NLB_VERDICT_bad_header : nlb_read_udp(view, packet, udp);
    case IPPROTO_ICMP:
      return nlb_parse_icmp(frame, view, packet);
    case NLB_PROTOCOL_SCTP:
      return (void*)(ports + 1) > frame->end ? NLB_VERDICT_bad_header
                                             : nlb_read_portless(view, packet, ports);
    default:
      return nlb_read_portless(view, packet, 0);
  }
}

static nlb_inline __u32 nlb_decide_ipv4(struct nlb_frame* frame, const struct nlb_view* view) {
  struct iphdr* ip = frame->network;
  union nlb_scratch scratch;
  struct nlb_packet packet = {.scratch = &scratch};

  if ((void*)(ip + 1) > frame->end) return NLB_UNDECIDED;
  packet.flow.vip_number = nlb_vip_number(view->bank, ip->daddr);
  if (!packet.flow.vip_number) return nlb_is_group_query(ip) ? NLB_VERDICT_passed : NLB_UNDECIDED;
  if (!(view->bank->flags & NLB_BANK_BOUND)) return NLB_VERDICT_not_bound;

  int payload_bytes = nlb_ipv4_payload_bytes(frame, ip);
  __u32 fragment = bpf_ntohs(ip->frag_off), offset = fragment & NLB_IP_OFFSET_MASK;

  if (payload_bytes < 0 || (offset == 1 && ip->protocol == IPPROTO_TCP)) /* RFC 3128: would overwrite flags */
    return NLB_VERDICT_bad_header;
  packet.flow.client[3] = ip->saddr;
  packet.flow.vip[3] = ip->daddr;
  if (offset) {
    nlb_fill_fragment_key(&scratch.fragment, &packet.flow, ip->id, ip->protocol);
    return nlb_judge_later_fragment(&scratch.fragment);
  }

  packet.ip = ip;
  packet.ip_bytes = sizeof(*ip);
  packet.payload = (void*)ip + ip->ihl * 4;
  packet.payload_bytes = (__u32)payload_bytes;
  packet.protocol = ip->protocol;
  packet.fragmented = (fragment & NLB_IP_MORE_FRAGMENTS) != 0;
  packet.flow.slot = NLB_SLOT_DEFAULT;

  __u32 verdict = nlb_parse_ipv4_payload(frame, view, &packet);

  if (verdict == NLB_UNDECIDED) verdict = nlb_judge_flow(frame, view, &packet);
  if (packet.fragmented && nlb_lets_in(verdict)) {
    nlb_fill_fragment_key(&scratch.fragment, &packet.flow, ip->id, ip->protocol);
    nlb_remember_fragment(&scratch.fragment);
  }
  return verdict;
}

#endif
