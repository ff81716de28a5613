/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* IPv6: behind the extension headers, up to a number of them, stands what matters. What cannot be looked
 * behind is refused (RFC 7113): otherwise a chain of headers would hide neighbour discovery from the guard
 * and not from hosts. */
#ifndef NLB_BPF_GUARD_IPV6_H
#define NLB_BPF_GUARD_IPV6_H

#include <linux/ipv6.h>

#include "extension.h"
#include "guard_ipv4.h"
#include "guard_nd.h"

#define NLB_GUARD_DHCPV6_SERVER_PORT 547
#define NLB_GUARD_DHCPV6_CLIENT_PORT 546

/* A first fragment that ends before the header that it should carry (RFC 7112) hides it: what a frame has
 * behind its packet is no part of it. `bytes`: what is to be read of that header. */
static nlb_inline int nlb_guard_is_hidden(const struct nlb_guard_frame* frame, const struct ipv6hdr* ip,
                                          const struct nlb_upper* upper, __u32 bytes) {
  __u32 end = frame->network_offset + sizeof(*ip) + bpf_ntohs(ip->payload_len);

  return upper->fragment_headers && upper->offset + bytes > end;
}

static nlb_inline __u32 nlb_guard_cut_off(const struct nlb_upper* upper) {
  return upper->fragment_headers ? NLB_GUARD_REASON(header_chain) : NLB_GUARD_PASSED;
}

static nlb_inline __u32 nlb_guard_judge_icmpv6(struct nlb_guard_frame* frame, const struct ipv6hdr* ip,
                                               const struct nlb_upper* upper) {
  __u32 flags = frame->port->role == NLB_GUARD_ROLE_GUEST ? frame->port->flags : 0;
  struct nlb_nd nd = {};
  __u8 type;

  if (nlb_guard_is_hidden(frame, ip, upper, sizeof(type)) ||
      bpf_skb_load_bytes(frame->skb, upper->offset, &type, sizeof(type)))
    return nlb_guard_cut_off(upper);
  if (!nlb_is_nd(type)) return NLB_GUARD_PASSED;
  if (upper->fragment_headers) return NLB_GUARD_REASON(nd_fragment);
  if (flags & NLB_GUARD_PORT_ROUTER_GUARD) {
    if (type == NLB_ND_ROUTER_ADVERTISEMENT) return NLB_GUARD_REASON(router_advertisement);
    if (type == NLB_ND_REDIRECT) return NLB_GUARD_REASON(redirect);
  }
  frame->free_offset = NLB_GUARD_NOWHERE;
  nd.type = type;
  nd.offset = upper->offset;
  nd.end = frame->network_offset + sizeof(*ip) + bpf_ntohs(ip->payload_len);
  return nlb_guard_judge_nd(frame, &nd, &ip->saddr);
}

static nlb_inline __u32 nlb_guard_judge_ipv6_payload(struct nlb_guard_frame* frame,
                                                     const struct ipv6hdr* ip) {
  struct nlb_upper upper = {.offset = frame->network_offset + sizeof(*ip), .protocol = ip->nexthdr};
  __be16 ports[2];

  if (!nlb_find_upper(frame->skb, &upper)) return NLB_GUARD_REASON(header_chain);
  frame->free_offset = upper.fragment_headers ? NLB_GUARD_NOWHERE : upper.offset;
  if (upper.later) return NLB_GUARD_PASSED;
  if (nlb_guard_is_hidden(frame, ip, &upper, 0)) return NLB_GUARD_REASON(header_chain);
  if (upper.protocol == NLB_NEXT_ICMPV6) return nlb_guard_judge_icmpv6(frame, ip, &upper);
  if (frame->port->role == NLB_GUARD_ROLE_UPLINK) return NLB_GUARD_PASSED;
  if (upper.protocol == NLB_GUARD_IPPROTO_VRRP) return nlb_guard_judge_advertisement(frame, upper.offset, 1);
  if (upper.protocol != IPPROTO_UDP || !(frame->port->flags & NLB_GUARD_PORT_DHCP_GUARD))
    return NLB_GUARD_PASSED;
  if (nlb_guard_is_hidden(frame, ip, &upper, sizeof(ports)) ||
      bpf_skb_load_bytes(frame->skb, upper.offset, ports, sizeof(ports)))
    return nlb_guard_cut_off(&upper);
  return nlb_guard_is_dhcp_server(ports, NLB_GUARD_DHCPV6_SERVER_PORT, NLB_GUARD_DHCPV6_CLIENT_PORT)
             ? NLB_GUARD_REASON(dhcp_server)
             : NLB_GUARD_PASSED;
}

static nlb_inline __u32 nlb_guard_judge_ipv6(struct nlb_guard_frame* frame) {
  int guest = frame->port->role == NLB_GUARD_ROLE_GUEST;
  struct nlb_guard_address_key key;
  struct ipv6hdr ip;
  __u32 reason;

  if (nlb_guard_load(frame->skb, frame->network_offset, &ip, sizeof(ip)) || ip.version != 6)
    return guest ? NLB_GUARD_REASON(ip_malformed) : NLB_GUARD_PASSED;
  if (guest) {
    nlb_guard_ipv6_key(&key, frame, &ip.saddr);
    reason = nlb_guard_claim_address(frame, &key, NLB_GUARD_REASON(ip_address));
    if (reason != NLB_GUARD_PASSED) return reason;
  }
  return nlb_guard_judge_ipv6_payload(frame, &ip);
}

#endif
