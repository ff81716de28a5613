/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A packet for a virtual IP address, from its transport header to the verdict: what IPv4 and IPv6 have in
 * common. */
#ifndef NLB_BPF_TRANSPORT_H
#define NLB_BPF_TRANSPORT_H

#include <linux/tcp.h>
#include <linux/udp.h>

#include "fragment.h"
#include "portless.h"
#include "socket.h"
#include "visit.h"

/* Keys that are never needed at the same time: the stack of a program is 512 octets. */
union nlb_scratch {
  struct nlb_fragment_key fragment;
  struct bpf_sock_tuple tuple;
};

struct nlb_packet {
  union nlb_scratch* scratch;
  void* ip; /* IP header, ip_bytes of it without options */
  __u32 ip_bytes;
  void* payload;          /* IPv4: transport header */
  __u32 payload_bytes;    /* by the IP header */
  __u8 protocol;          /* of the payload */
  __u8 fragmented;        /* a first fragment: payload_bytes is not all of it */
  struct tcphdr* segment; /* set when this TCP segment cannot begin a flow */
  struct nlb_flow flow;
};

/* Owner or not: for whatever could begin a flow. */
static nlb_inline __u32 nlb_judge_beginning(const struct nlb_view* view, __u32 state) {
  if (!(state & NLB_BUCKET_OWNED)) return NLB_VERDICT_foreign;
  return nlb_lease_valid(view->control) ? NLB_VERDICT_owned : NLB_VERDICT_no_lease;
}

static nlb_inline __u32 nlb_judge_segment(struct nlb_frame* frame, const struct nlb_view* view,
                                          const struct nlb_packet* packet, __u32 state) {
  if (state & NLB_BUCKET_CHECKED)
    return nlb_find_connection(frame, view->bank, packet->ip, packet->ip_bytes, packet->segment,
                               &packet->flow, &packet->scratch->tuple);
  return state & NLB_BUCKET_OWNED ? NLB_VERDICT_owned : NLB_VERDICT_foreign;
}

/* The header is readable. */
static nlb_inline __u32 nlb_read_tcp(const struct nlb_view* view, struct nlb_packet* packet,
                                     struct tcphdr* tcp) {
  if (packet->payload_bytes < sizeof(*tcp)) return NLB_VERDICT_bad_header;
  if (tcp->doff < 5 || tcp->doff * 4U > packet->payload_bytes) return NLB_VERDICT_bad_header;
  packet->flow.client_port = tcp->source;
  packet->flow.vip_port = tcp->dest;
  packet->flow.slot = nlb_port_slot(view, packet->flow.vip_number, NLB_TABLE_TCP, tcp->dest);
  if (!tcp->syn || tcp->ack || tcp->rst) packet->segment = tcp;
  return NLB_UNDECIDED;
}

static nlb_inline __u32 nlb_read_udp(const struct nlb_view* view, struct nlb_packet* packet,
                                     const struct udphdr* udp) {
  if (packet->payload_bytes < sizeof(*udp)) return NLB_VERDICT_bad_header;

  __u32 length = bpf_ntohs(udp->len);

  if (length < sizeof(*udp) || (!packet->fragmented && length > packet->payload_bytes))
    return NLB_VERDICT_bad_header;
  packet->flow.client_port = udp->source;
  packet->flow.vip_port = udp->dest;
  packet->flow.slot = nlb_port_slot(view, packet->flow.vip_number, NLB_TABLE_UDP, udp->dest);
  return NLB_UNDECIDED;
}

/* Source and destination port of SCTP. */
struct nlb_ports {
  __be16 source, target;
};

/* Neither TCP, UDP nor ICMP; `sctp` only for that protocol, and readable. */
static nlb_inline __u32 nlb_read_portless(const struct nlb_view* view, struct nlb_packet* packet,
                                          const struct nlb_ports* sctp) {
  if (sctp && packet->payload_bytes < NLB_SCTP_HEADER_BYTES) return NLB_VERDICT_bad_header;
  packet->flow.slot =
      nlb_portless_slot(view, packet->flow.vip_number, packet->protocol, sctp ? sctp->target : 0);
  return NLB_UNDECIDED;
}

/* Of the verdicts on a flow. */
static nlb_inline int nlb_is_accepted(__u32 verdict) {
  return verdict == NLB_VERDICT_owned || verdict == NLB_VERDICT_held || verdict == NLB_VERDICT_cookie;
}

/* Client, port and slot are known. */
static nlb_inline __u32 nlb_judge_flow(struct nlb_frame* frame, const struct nlb_view* view,
                                       const struct nlb_packet* packet) {
  __u32 slot = packet->flow.slot;

  if (slot >= NLB_MAX_SLOTS || !(view->bank->slots[slot].flags & NLB_SLOT_ENABLED))
    return NLB_VERDICT_rule_disabled;

  __u64 hash = nlb_client_hash(view->bank, &packet->flow);
  __u32 state = nlb_state_of(slot, nlb_bucket_of_hash(hash)), verdict;

  verdict =
      packet->segment ? nlb_judge_segment(frame, view, packet, state) : nlb_judge_beginning(view, state);
  if ((state & NLB_BUCKET_OWNED) && nlb_is_extended(view->bank, slot) && nlb_is_accepted(verdict)) {
    frame->visits = 1; /* noted by nlb_decide, where the stack has room */
    frame->visited_slot = slot;
    frame->visitor = hash;
  }
  return verdict;
}

#endif
