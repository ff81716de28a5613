/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* IPv4 from a guest: whose address it speaks for, and what only routers, DHCP servers and a cluster's members
 * send. A first fragment carries at least eight octets of its payload, so a type or a port is never in a
 * later one. */
#ifndef NLB_BPF_GUARD_IPV4_H
#define NLB_BPF_GUARD_IPV4_H

#include <linux/in.h>
#include <linux/ip.h>

#include "guard_address.h"

#define NLB_GUARD_IPPROTO_VRRP 112 /* and CARP */
#define NLB_GUARD_ICMP_REDIRECT 5
#define NLB_GUARD_DHCP_SERVER_PORT 67
#define NLB_GUARD_DHCP_CLIENT_PORT 68
#define NLB_GUARD_FRAGMENT_OFFSET 0x1fff
#define NLB_GUARD_MORE_FRAGMENTS 0x2000

/* VRRP and CARP name their cluster by one octet, of which the virtual MAC is made (RFC 9568 section 7.3):
 * family 1 for IPv4 and for CARP over either, 2 for VRRP over IPv6. */
static nlb_inline int nlb_guard_is_foreign_virtual(const struct nlb_guard_frame* frame, __u8 family,
                                                   __u8 number) {
  __u8 mac[6] __attribute__((aligned(2))) = {0x00, 0x00, 0x5e, 0x00, family, number};
  const struct nlb_guard_mac* owner = nlb_guard_find_mac(frame, mac);

  return owner && owner->kind == NLB_GUARD_MAC_VIRTUAL && (!frame->member || owner->cluster != frame->member);
}

static nlb_inline __u32 nlb_guard_judge_advertisement(const struct nlb_guard_frame* frame, __u32 offset,
                                                      int ipv6) {
  __u8 head[2]; /* version and type, virtual router id */

  if (bpf_skb_load_bytes(frame->skb, offset, head, sizeof(head))) return NLB_GUARD_PASSED;
  if (nlb_guard_is_foreign_virtual(frame, 1, head[1])) return NLB_GUARD_REASON(foreign_advertisement);
  return ipv6 && nlb_guard_is_foreign_virtual(frame, 2, head[1]) ? NLB_GUARD_REASON(foreign_advertisement)
                                                                 : NLB_GUARD_PASSED;
}

/* Clients listen on their port and look at nobody's source port: a server may send from any. */
static nlb_inline int nlb_guard_is_dhcp_server(const __be16 ports[2], __u16 server, __u16 client) {
  return ports[0] == bpf_htons(server) || ports[1] == bpf_htons(client);
}

static nlb_inline __u32 nlb_guard_judge_ipv4_payload(const struct nlb_guard_frame* frame, __u8 protocol,
                                                     __u32 offset) {
  __u32 flags = frame->port->flags;
  __be16 ports[2];
  __u8 type;

  if (protocol == IPPROTO_ICMP && (flags & NLB_GUARD_PORT_ROUTER_GUARD)) {
    if (bpf_skb_load_bytes(frame->skb, offset, &type, sizeof(type))) return NLB_GUARD_PASSED;
    return type == NLB_GUARD_ICMP_REDIRECT ? NLB_GUARD_REASON(redirect) : NLB_GUARD_PASSED;
  }
  if (protocol == IPPROTO_UDP && (flags & NLB_GUARD_PORT_DHCP_GUARD)) {
    if (bpf_skb_load_bytes(frame->skb, offset, ports, sizeof(ports))) return NLB_GUARD_PASSED;
    return nlb_guard_is_dhcp_server(ports, NLB_GUARD_DHCP_SERVER_PORT, NLB_GUARD_DHCP_CLIENT_PORT)
               ? NLB_GUARD_REASON(dhcp_server)
               : NLB_GUARD_PASSED;
  }
  return protocol == NLB_GUARD_IPPROTO_VRRP ? nlb_guard_judge_advertisement(frame, offset, 0)
                                            : NLB_GUARD_PASSED;
}

static nlb_inline __u32 nlb_guard_judge_ipv4(struct nlb_guard_frame* frame) {
  struct nlb_guard_address_key key;
  struct iphdr ip;
  __u32 reason;

  if (nlb_guard_load(frame->skb, frame->network_offset, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
    return NLB_GUARD_REASON(ip_malformed);
  frame->free_offset = frame->network_offset + ip.ihl * 4U;
  if (ip.frag_off & bpf_htons(NLB_GUARD_FRAGMENT_OFFSET | NLB_GUARD_MORE_FRAGMENTS))
    frame->free_offset = NLB_GUARD_NOWHERE;
  nlb_guard_ipv4_key(&key, frame, &ip.saddr);
  reason = nlb_guard_claim_address(frame, &key, NLB_GUARD_REASON(ip_address));
  if (reason != NLB_GUARD_PASSED || (ip.frag_off & bpf_htons(NLB_GUARD_FRAGMENT_OFFSET))) return reason;
  return nlb_guard_judge_ipv4_payload(frame, ip.protocol, frame->network_offset + ip.ihl * 4U);
}

#endif
