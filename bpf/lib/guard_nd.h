/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Neighbour discovery (RFC 4861): the link-layer address options bind, each in the messages for which it is
 * defined.
 *
 *   message                  binds           by option
 *   router solicitation      source          1 (source link-layer address)
 *   router advertisement     source          1
 *   neighbour solicitation   source          1; from :: it claims the target (duplicate address detection)
 *   neighbour advertisement  target          2 (target link-layer address); without it, claims the target
 *   redirect                 target          2; another's, so it need only not be known to be wrong
 *
 * An option of that type may be repeated when it says the same; one that says something else is malformed. */
#ifndef NLB_BPF_GUARD_ND_H
#define NLB_BPF_GUARD_ND_H

#include "guard_address.h"

enum {
  NLB_GUARD_ROUTER_SOLICITATION = 133,
  NLB_GUARD_ROUTER_ADVERTISEMENT,
  NLB_GUARD_NEIGHBOUR_SOLICITATION,
  NLB_GUARD_NEIGHBOUR_ADVERTISEMENT,
  NLB_GUARD_REDIRECT
};

struct nlb_guard_nd {
  __u32 offset; /* of the ICMPv6 header */
  __u32 end;    /* by the IPv6 header */
  __u8 type;
  __u8 has_mac; /* the option was there */
  __u8 mac[6];
};

struct nlb_guard_nd_option {
  __u8 type, units; /* of eight octets */
  __u8 mac[6];
};

static nlb_inline __u32 nlb_guard_nd_head_bytes(__u8 type) {
  if (type == NLB_GUARD_ROUTER_SOLICITATION) return 8;
  if (type == NLB_GUARD_ROUTER_ADVERTISEMENT) return 16;
  return type == NLB_GUARD_REDIRECT ? 40 : 24;
}

static nlb_inline int nlb_guard_binds_target(__u8 type) {
  return type == NLB_GUARD_NEIGHBOUR_ADVERTISEMENT || type == NLB_GUARD_REDIRECT;
}

static nlb_inline int nlb_guard_take_nd_option(struct nlb_guard_nd* nd,
                                               const struct nlb_guard_nd_option* option) {
  if (option->type != (nlb_guard_binds_target(nd->type) ? 2 : 1)) return 1;
  if (option->units != 1 || (nd->has_mac && !nlb_guard_same_mac(nd->mac, option->mac))) return 0;
  nlb_guard_copy_mac(nd->mac, option->mac);
  nd->has_mac = 1;
  return 1;
}

/* Walks the options, each within the message: 0 when they are malformed or too many. A function of its own
 * for the verifier, which looks at it once. */
__attribute__((noinline)) int nlb_guard_read_nd(struct __sk_buff* skb, struct nlb_guard_nd* nd) {
  struct nlb_guard_nd_option option;
  __u32 offset;

  if (!nd) return 0;
  offset = nd->offset + nlb_guard_nd_head_bytes(nd->type);
  if (nd->end > skb->len || offset > nd->end) return 0;
  for (int i = 0; i < NLB_GUARD_MAX_ND_OPTIONS && offset != nd->end; ++i) {
    if (offset > nd->end || bpf_skb_load_bytes(skb, offset, &option, sizeof(option)) || !option.units)
      return 0;
    if (!nlb_guard_take_nd_option(nd, &option)) return 0;
    offset += option.units * 8U;
  }
  return offset == nd->end;
}

static nlb_inline __u32 nlb_guard_judge_nd_target(struct nlb_guard_frame* frame,
                                                  const struct nlb_guard_nd* nd,
                                                  const struct nlb_guard_address_key* source,
                                                  const struct nlb_guard_address_key* target) {
  int claims = nd->type == NLB_GUARD_NEIGHBOUR_ADVERTISEMENT ||
               (nd->type == NLB_GUARD_NEIGHBOUR_SOLICITATION && nlb_guard_is_unspecified(source));

  if (!claims || frame->port->role == NLB_GUARD_ROLE_UPLINK) return NLB_GUARD_PASSED;
  return nlb_guard_claim_address(frame, target, NLB_GUARD_REASON(nd_address));
}

static nlb_inline __u32 nlb_guard_judge_nd(struct nlb_guard_frame* frame, struct nlb_guard_nd* nd,
                                           const void* source_address) {
  struct nlb_guard_address_key source, target;
  __u8 octets[16] __attribute__((aligned(4)));
  const struct nlb_guard_address_key* bound = &source;
  __u32 reason;

  if (!nlb_guard_read_nd(frame->skb, nd)) return NLB_GUARD_REASON(nd_malformed);
  nlb_guard_ipv6_key(&source, frame, source_address);
  if (nlb_guard_nd_head_bytes(nd->type) >= 24) {
    if (bpf_skb_load_bytes(frame->skb, nd->offset + 8, octets, sizeof(octets)))
      return NLB_GUARD_REASON(nd_malformed);
    nlb_guard_ipv6_key(&target, frame, octets);
    reason = nlb_guard_judge_nd_target(frame, nd, &source, &target);
    if (reason != NLB_GUARD_PASSED) return reason;
    if (nlb_guard_binds_target(nd->type)) bound = &target;
  }
  if (!nd->has_mac) return NLB_GUARD_PASSED;
  if (nlb_guard_is_unspecified(bound)) return NLB_GUARD_REASON(nd_malformed); /* RFC 4861 section 4.3 */
  if (nd->type == NLB_GUARD_REDIRECT) return nlb_guard_mention_pair(frame, bound, nd->mac);
  return nlb_guard_judge_pair(frame, bound, nd->mac, NLB_GUARD_REASON(nd_mac), NLB_GUARD_REASON(nd_address));
}

#endif
