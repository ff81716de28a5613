/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* IPv6: behind the extension headers, up to a number of them, stands what matters. What cannot be looked
 * behind is refused (RFC 7113): otherwise a chain of headers would hide neighbour discovery from the guard
 * and not from hosts. */
#ifndef NLB_BPF_GUARD_IPV6_H
#define NLB_BPF_GUARD_IPV6_H

#include <linux/ipv6.h>

#include "guard_ipv4.h"
#include "guard_nd.h"

#define NLB_GUARD_DHCPV6_SERVER_PORT 547
#define NLB_GUARD_DHCPV6_CLIENT_PORT 546

enum { /* next header: IANA, protocol numbers */
       NLB_GUARD_HOP_BY_HOP = 0,
       NLB_GUARD_ROUTING = 43,
       NLB_GUARD_FRAGMENT = 44,
       NLB_GUARD_AUTHENTICATION = 51,
       NLB_GUARD_ICMPV6 = 58,
       NLB_GUARD_DESTINATION_OPTIONS = 60,
       NLB_GUARD_MOBILITY = 135,
       NLB_GUARD_HIP = 139,
       NLB_GUARD_SHIM6 = 140
};

struct nlb_guard_upper { /* what the extension headers lead to */
  __u32 offset;
  __u8 protocol;
  __u8 fragmented;
  __u8 later; /* not the first fragment: nothing to be read here */
};

static nlb_inline int nlb_guard_is_extension(__u8 type) {
  return type == NLB_GUARD_HOP_BY_HOP || type == NLB_GUARD_ROUTING || type == NLB_GUARD_FRAGMENT ||
         type == NLB_GUARD_AUTHENTICATION || type == NLB_GUARD_DESTINATION_OPTIONS ||
         type == NLB_GUARD_MOBILITY || type == NLB_GUARD_HIP || type == NLB_GUARD_SHIM6;
}

/* One extension header: 0 when it is cut off. */
static nlb_inline int nlb_guard_step_over(struct __sk_buff* skb, struct nlb_guard_upper* upper) {
  __u8 head[4] __attribute__((aligned(2))); /* next header, length or reserved, fragment offset and flags */
  __u32 bytes;

  if (bpf_skb_load_bytes(skb, upper->offset, head, sizeof(head))) return 0;
  bytes = (head[1] + 1U) * 8;
  if (upper->protocol == NLB_GUARD_AUTHENTICATION) bytes = (head[1] + 2U) * 4;
  if (upper->protocol == NLB_GUARD_FRAGMENT) {
    bytes = 8;
    upper->fragmented = 1;
    upper->later = (head[2] | (head[3] & 0xf8)) != 0;
  }
  upper->protocol = head[0];
  upper->offset += bytes;
  return 1;
}

/* 0 when the chain is cut off or too long. A function of its own for the verifier, which looks at it once. */
__attribute__((noinline)) int nlb_guard_find_upper(struct __sk_buff* skb, struct nlb_guard_upper* upper) {
  if (!upper) return 0;
  for (int i = 0; i < NLB_GUARD_MAX_EXTENSION_HEADERS; ++i) {
    if (upper->later || !nlb_guard_is_extension(upper->protocol)) return 1;
    if (!nlb_guard_step_over(skb, upper)) return 0;
  }
  return upper->later || !nlb_guard_is_extension(upper->protocol);
}

/* A first fragment that ends before the header that it should carry (RFC 7112) hides it. */
static nlb_inline __u32 nlb_guard_cut_off(const struct nlb_guard_upper* upper) {
  return upper->fragmented ? NLB_GUARD_REASON(header_chain) : NLB_GUARD_PASSED;
}

static nlb_inline __u32 nlb_guard_judge_icmpv6(struct nlb_guard_frame* frame, const struct ipv6hdr* ip,
                                               const struct nlb_guard_upper* upper) {
  __u32 flags = frame->port->role == NLB_GUARD_ROLE_GUEST ? frame->port->flags : 0;
  struct nlb_guard_nd nd = {};
  __u8 type;

  if (bpf_skb_load_bytes(frame->skb, upper->offset, &type, sizeof(type))) return nlb_guard_cut_off(upper);
  if (type < NLB_GUARD_ROUTER_SOLICITATION || type > NLB_GUARD_REDIRECT) return NLB_GUARD_PASSED;
  if (upper->fragmented) return NLB_GUARD_REASON(nd_fragment);
  if (flags & NLB_GUARD_PORT_ROUTER_GUARD) {
    if (type == NLB_GUARD_ROUTER_ADVERTISEMENT) return NLB_GUARD_REASON(router_advertisement);
    if (type == NLB_GUARD_REDIRECT) return NLB_GUARD_REASON(redirect);
  }
  frame->free_offset = NLB_GUARD_NOWHERE;
  nd.type = type;
  nd.offset = upper->offset;
  nd.end = frame->network_offset + sizeof(*ip) + bpf_ntohs(ip->payload_len);
  return nlb_guard_judge_nd(frame, &nd, &ip->saddr);
}

static nlb_inline __u32 nlb_guard_judge_ipv6_payload(struct nlb_guard_frame* frame,
                                                     const struct ipv6hdr* ip) {
  struct nlb_guard_upper upper = {.offset = frame->network_offset + sizeof(*ip), .protocol = ip->nexthdr};
  __be16 ports[2];

  if (!nlb_guard_find_upper(frame->skb, &upper)) return NLB_GUARD_REASON(header_chain);
  frame->free_offset = upper.fragmented ? NLB_GUARD_NOWHERE : upper.offset;
  if (upper.later) return NLB_GUARD_PASSED;
  if (upper.protocol == NLB_GUARD_ICMPV6) return nlb_guard_judge_icmpv6(frame, ip, &upper);
  if (frame->port->role == NLB_GUARD_ROLE_UPLINK) return NLB_GUARD_PASSED;
  if (upper.protocol == NLB_GUARD_IPPROTO_VRRP) return nlb_guard_judge_advertisement(frame, upper.offset, 1);
  if (upper.protocol != IPPROTO_UDP || !(frame->port->flags & NLB_GUARD_PORT_DHCP_GUARD))
    return NLB_GUARD_PASSED;
  if (bpf_skb_load_bytes(frame->skb, upper.offset, ports, sizeof(ports))) return nlb_guard_cut_off(&upper);
  return nlb_guard_is_dhcp_server(ports, NLB_GUARD_DHCPV6_SERVER_PORT, NLB_GUARD_DHCPV6_CLIENT_PORT)
             ? NLB_GUARD_REASON(dhcp_server)
             : NLB_GUARD_PASSED;
}

static nlb_inline __u32 nlb_guard_judge_ipv6(struct nlb_guard_frame* frame) {
  int guest = frame->port->role == NLB_GUARD_ROLE_GUEST;
  struct nlb_guard_address_key key;
  struct ipv6hdr ip;
  __u32 reason;

  if (bpf_skb_load_bytes(frame->skb, frame->network_offset, &ip, sizeof(ip)) || ip.version != 6)
    return guest ? NLB_GUARD_REASON(ip_malformed) : NLB_GUARD_PASSED;
  if (guest) {
    nlb_guard_ipv6_key(&key, frame, &ip.saddr);
    reason = nlb_guard_claim_address(frame, &key, NLB_GUARD_REASON(ip_address));
    if (reason != NLB_GUARD_PASSED) return reason;
  }
  return nlb_guard_judge_ipv6_payload(frame, &ip);
}

#endif
