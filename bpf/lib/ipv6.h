/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* IPv6, inward: is it for a virtual IP address, are its headers sound, is it a fragment; and ICMPv6.
 *
 * Behind extension headers nothing has a fixed place: transport headers are copied to the stack. */
#ifndef NLB_BPF_IPV6_H
#define NLB_BPF_IPV6_H

#include "nd_inward.h"
#include "transport.h"
#include "verdict.h"

#define NLB_ICMPV6_ECHO 128 /* RFC 4443: types below are errors */
#define NLB_ICMPV6_FIRST_INFORMATION 128
#define NLB_ICMPV6_BYTES 8 /* header of an echo or an error; behind it, the packet that an error is about */

union nlb_transport {
  struct tcphdr tcp;
  struct udphdr udp;
  struct nlb_ports ports;
  __u8 icmp_type;
  __u32 inner_source[4];
};

static nlb_inline __u32 nlb_judge_icmpv6_error(struct nlb_frame* frame, const struct nlb_view* view,
                                               const struct nlb_packet* packet, __u32 offset,
                                               union nlb_transport* head) {
  __u32 inner = offset + NLB_ICMPV6_BYTES;

  if (packet->payload_bytes < NLB_ICMPV6_BYTES + sizeof(struct ipv6hdr)) return NLB_VERDICT_bad_header;
  if (nlb_load(frame->ctx, inner + 8, head->inner_source, sizeof(head->inner_source)))
    return NLB_VERDICT_bad_header;
  if (!nlb_vip6_number(view->bank, head->inner_source)) return NLB_VERDICT_icmp_unrelated;
  return nlb_lease_valid(view->control) ? NLB_VERDICT_icmp_error : NLB_VERDICT_no_lease;
}

/* Neighbour discovery that nd_inward.h had no opinion about is none that a host may listen to: in fragments
 * (RFC 6980), malformed, or about another address than the one it was sent to. */
static nlb_inline __u32 nlb_parse_icmpv6(struct nlb_frame* frame, const struct nlb_view* view,
                                         struct nlb_packet* packet, __u32 offset, union nlb_transport* head) {
  if (packet->payload_bytes < NLB_ICMPV6_BYTES) return NLB_VERDICT_bad_header;
  if (nlb_load(frame->ctx, offset, &head->icmp_type, 1) || nlb_is_nd(head->icmp_type))
    return NLB_VERDICT_bad_header;
  if (head->icmp_type < NLB_ICMPV6_FIRST_INFORMATION)
    return nlb_judge_icmpv6_error(frame, view, packet, offset, head);
  if (head->icmp_type == NLB_ICMPV6_ECHO) packet->flow.slot = NLB_SLOT_ECHO;
  return NLB_UNDECIDED;
}

/* Without extension headers it has a fixed place, and is read there: a call for it costs twice as much. */
static nlb_inline long nlb_load_transport(const struct nlb_frame* frame, const struct nlb_packet* packet,
                                          __u32 offset, void* to, __u32 bytes) {
  const void* behind = packet->ip + sizeof(struct ipv6hdr);

  if (offset != frame->network_offset + sizeof(struct ipv6hdr) || behind + bytes > frame->end)
    return nlb_load(frame->ctx, offset, to, bytes);
  __builtin_memcpy(to, behind, bytes);
  return 0;
}

static nlb_inline __u32 nlb_parse_ipv6_payload(struct nlb_frame* frame, const struct nlb_view* view,
                                               struct nlb_packet* packet, __u32 offset,
                                               union nlb_transport* head) {
  switch (packet->protocol) {
    case NLB_NEXT_TCP:
      if (nlb_load_transport(frame, packet, offset, &head->tcp, sizeof(head->tcp)))
        return NLB_VERDICT_bad_header;
      return nlb_read_tcp(view, packet, &head->tcp);
    case NLB_NEXT_UDP:
      if (nlb_load_transport(frame, packet, offset, &head->udp, sizeof(head->udp)))
        return NLB_VERDICT_bad_header;
      return nlb_read_udp(view, packet, &head->udp);
    case NLB_NEXT_ICMPV6:
      return nlb_parse_icmpv6(frame, view, packet, offset, head);
    case NLB_PROTOCOL_SCTP:
      if (nlb_load(frame->ctx, offset, &head->ports, sizeof(head->ports))) return NLB_VERDICT_bad_header;
      return nlb_read_portless(view, packet, &head->ports);
    default:
      return nlb_read_portless(view, packet, 0);
  }
}

/* ::ffff:a.b.c.d stands for IPv4 in interfaces of programs, not on the wire. */
static nlb_inline int nlb_is_mapped(const __u32* address) {
  return ((address[0] | address[1] | (address[2] ^ bpf_htonl(0xffff))) == 0);
}

/* What the chain of headers leads to is known. */
static nlb_inline __u32 nlb_judge_ipv6(struct nlb_frame* frame, const struct nlb_view* view,
                                       struct nlb_packet* packet, const struct nlb_upper* upper, __u32 end) {
  union nlb_transport head;
  __u32 verdict;

  if (upper->fragment_headers > 1) return NLB_VERDICT_header_chain;
  if (!end || upper->offset > end || nlb_is_mapped(packet->flow.client)) return NLB_VERDICT_bad_header;
  if (upper->later) {
    nlb_fill_fragment_key(&packet->scratch->fragment, &packet->flow, upper->id, 0);
    return nlb_judge_later_fragment(&packet->scratch->fragment);
  }
  packet->payload_bytes = end - upper->offset;
  packet->protocol = upper->protocol;
  packet->fragmented = upper->more;
  packet->flow.slot = NLB_SLOT_DEFAULT;
  verdict = nlb_parse_ipv6_payload(frame, view, packet, upper->offset, &head);
  if (verdict == NLB_UNDECIDED) verdict = nlb_judge_flow(frame, view, packet);
  if (upper->more && nlb_lets_in(verdict)) {
    nlb_fill_fragment_key(&packet->scratch->fragment, &packet->flow, upper->id, 0);
    nlb_remember_fragment(&packet->scratch->fragment);
  }
  return verdict;
}

static nlb_inline __u32 nlb_decide_ipv6(struct nlb_frame* frame, const struct nlb_view* view) {
  struct ipv6hdr* ip = frame->network;
  union nlb_scratch scratch;
  struct nlb_packet packet = {.scratch = &scratch, .ip = ip, .ip_bytes = sizeof(*ip), .flow = {.ipv6 = 1}};

  if ((void*)(ip + 1) > frame->end) return NLB_UNDECIDED;

  struct nlb_upper upper = {.offset = frame->network_offset + sizeof(*ip), .protocol = ip->nexthdr};

  __builtin_memcpy(packet.flow.client, &ip->saddr, sizeof(packet.flow.client));
  __builtin_memcpy(packet.flow.vip, &ip->daddr, sizeof(packet.flow.vip));
  packet.flow.vip_number = nlb_vip6_number(view->bank, packet.flow.vip);
  if (!packet.flow.vip_number) return NLB_UNDECIDED;
  if (!(view->bank->flags & NLB_BANK_BOUND)) return NLB_VERDICT_not_bound;
  if (nlb_is_extension(upper.protocol) && !nlb_find_upper(frame->ctx, &upper))
    return NLB_VERDICT_header_chain;
  return nlb_judge_ipv6(frame, view, &packet, &upper, nlb_ipv6_payload_end(frame, ip));
}

#endif
