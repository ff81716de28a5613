/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Protocols that port rules do not name: which rule has them, and by the client's address alone.
 *
 *   GRE       the rule of TCP 1723: PPTP's tunnel stays with its control connection
 *   ESP, AH   the rule of UDP 500: an IPsec tunnel stays with its key exchange
 *   SCTP      the rule that has its port for TCP and for UDP (protocol "both")
 *   others    no rule: the default host
 *
 * No client port counts, so they are whole under affinity single and network. */
#ifndef NLB_BPF_PORTLESS_H
#define NLB_BPF_PORTLESS_H

#include <nlb/abi/portless.h>

#include "bucket.h"

static nlb_inline __u32 nlb_both_slot(const struct nlb_view* view, __u32 vip_number, __be16 port) {
  __u32 slot = nlb_port_slot(view, vip_number, NLB_TABLE_TCP, port);

  return slot == nlb_port_slot(view, vip_number, NLB_TABLE_UDP, port) ? slot : NLB_SLOT_DEFAULT;
}

/* `port`: an SCTP packet's destination port. A function of its own: the ways of TCP and UDP stay as short as
 * they were. */
static __attribute__((noinline)) __u32 nlb_portless_slot(const struct nlb_view* view, __u32 vip_number,
                                                         __u32 protocol, __u32 port) {
  if (!view) return NLB_SLOT_DEFAULT;
  switch (protocol) {
    case NLB_PROTOCOL_GRE:
      return nlb_port_slot(view, vip_number, NLB_TABLE_TCP, bpf_htons(NLB_PORT_PPTP));
    case NLB_PROTOCOL_ESP:
    case NLB_PROTOCOL_AH:
      return nlb_port_slot(view, vip_number, NLB_TABLE_UDP, bpf_htons(NLB_PORT_IKE));
    case NLB_PROTOCOL_SCTP:
      return nlb_both_slot(view, vip_number, (__be16)port);
    default:
      return NLB_SLOT_DEFAULT;
  }
}

#endif
