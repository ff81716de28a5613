/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A packet for a virtual IP address, from its transport header to the verdict. */
#ifndef NLB_BPF_TRANSPORT_H
#define NLB_BPF_TRANSPORT_H

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "socket.h"

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

struct nlb_packet {
  struct iphdr* ip;
  void* payload;          /* transport header */
  __u32 payload_bytes;    /* by the IP header */
  __u8 fragmented;        /* a first fragment: payload_bytes is not all of it */
  struct tcphdr* segment; /* set when this TCP segment cannot begin a flow */
  struct nlb_flow flow;
};

/* Owner or not: for whatever could begin a flow. */
static nlb_inline __u32 nlb_judge_beginning(const struct nlb_view* view, __u32 state) {
  if (!(state & NLB_BUCKET_OWNED)) return NLB_VERDICT_foreign;
  return nlb_lease_valid(view->control) ? NLB_VERDICT_owned : NLB_VERDICT_no_lease;
}

static nlb_inline __u32 nlb_judge_segment(struct nlb_frame* frame, const struct nlb_packet* packet,
                                          __u32 state) {
  if (state & NLB_BUCKET_CHECKED)
    return nlb_find_connection(frame, &packet->flow, packet->ip, packet->segment);
  return state & NLB_BUCKET_OWNED ? NLB_VERDICT_owned : NLB_VERDICT_foreign;
}

static nlb_inline __u32 nlb_parse_tcp(struct nlb_frame* frame, const struct nlb_view* view,
                                      struct nlb_packet* packet) {
  struct tcphdr* tcp = packet->payload;

  if ((void*)(tcp + 1) > frame->end || packet->payload_bytes < sizeof(*tcp)) return NLB_VERDICT_bad_header;
  if (tcp->doff < 5 || tcp->doff * 4U > packet->payload_bytes) return NLB_VERDICT_bad_header;
  packet->flow.client_port = tcp->source;
  packet->flow.vip_port = tcp->dest;
  packet->flow.slot = nlb_port_slot(view, packet->flow.vip_number, NLB_TABLE_TCP, tcp->dest);
  if (!tcp->syn || tcp->ack || tcp->rst) packet->segment = tcp;
  return NLB_UNDECIDED;
}

static nlb_inline __u32 nlb_parse_udp(struct nlb_frame* frame, const struct nlb_view* view,
                                      struct nlb_packet* packet) {
  struct udphdr* udp = packet->payload;

  if ((void*)(udp + 1) > frame->end || packet->payload_bytes < sizeof(*udp)) return NLB_VERDICT_bad_header;

  __u32 length = bpf_ntohs(udp->len);

  if (length < sizeof(*udp) || (!packet->fragmented && length > packet->payload_bytes))
    return NLB_VERDICT_bad_header;
  packet->flow.client_port = udp->source;
  packet->flow.vip_port = udp->dest;
  packet->flow.slot = nlb_port_slot(view, packet->flow.vip_number, NLB_TABLE_UDP, udp->dest);
  return NLB_UNDECIDED;
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

static nlb_inline __u32 nlb_parse_transport(struct nlb_frame* frame, const struct nlb_view* view,
                                            struct nlb_packet* packet) {
  switch (packet->ip->protocol) {
    case IPPROTO_TCP:
      return nlb_parse_tcp(frame, view, packet);
    case IPPROTO_UDP:
      return nlb_parse_udp(frame, view, packet);
    case IPPROTO_ICMP:
      return nlb_parse_icmp(frame, view, packet);
    default:
      return NLB_UNDECIDED; /* no ports: the default slot */
  }
}

static nlb_inline __u32 nlb_judge_packet(struct nlb_frame* frame, const struct nlb_view* view,
                                         struct nlb_packet* packet) {
  __u32 verdict = nlb_parse_transport(frame, view, packet);
  __u32 slot = packet->flow.slot;

  if (verdict != NLB_UNDECIDED) return verdict;
  if (slot >= NLB_MAX_SLOTS || !view->bank->slots[slot].enabled) return NLB_VERDICT_rule_disabled;

  __u32 state = nlb_bucket_state(view->bank, &packet->flow);

  return packet->segment ? nlb_judge_segment(frame, packet, state) : nlb_judge_beginning(view, state);
}

#endif
