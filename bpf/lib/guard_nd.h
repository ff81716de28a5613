/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Neighbour discovery: what a port may bind (nd.h says which message binds what). A solicitation from ::
 * claims its target (duplicate address detection), and so does an advertisement without the option. A
 * redirect speaks of another's address, so it need only not be known to be wrong. */
#ifndef NLB_BPF_GUARD_ND_H
#define NLB_BPF_GUARD_ND_H

#include "guard_address.h"

#define NLB_ND_OPTIONS_READ NLB_MAX_ND_OPTIONS
#include "nd.h"

static nlb_inline __u32 nlb_guard_judge_nd_target(struct nlb_guard_frame* frame, const struct nlb_nd* nd,
                                                  const struct nlb_guard_address_key* source,
                                                  const struct nlb_guard_address_key* target) {
  int claims = nd->type == NLB_ND_NEIGHBOUR_ADVERTISEMENT ||
               (nd->type == NLB_ND_NEIGHBOUR_SOLICITATION && nlb_guard_is_unspecified(source));

  if (!claims || frame->port->role == NLB_GUARD_ROLE_UPLINK) return NLB_GUARD_PASSED;
  return nlb_guard_claim_address(frame, target, NLB_GUARD_REASON(nd_address));
}

static nlb_inline __u32 nlb_guard_judge_nd(struct nlb_guard_frame* frame, struct nlb_nd* nd,
                                           const void* source_address) {
  struct nlb_guard_address_key source, target;
  __u8 octets[16] __attribute__((aligned(4)));
  const struct nlb_guard_address_key* bound = &source;
  __u32 reason;

  if (!nlb_read_nd(frame->skb, nd)) return NLB_GUARD_REASON(nd_malformed);
  nlb_guard_ipv6_key(&source, frame, source_address);
  if (nlb_nd_has_target(nd->type)) {
    if (bpf_skb_load_bytes(frame->skb, nd->offset + NLB_ND_TARGET_OFFSET, octets, sizeof(octets)))
      return NLB_GUARD_REASON(nd_malformed);
    nlb_guard_ipv6_key(&target, frame, octets);
    reason = nlb_guard_judge_nd_target(frame, nd, &source, &target);
    if (reason != NLB_GUARD_PASSED) return reason;
    if (nlb_nd_binds_target(nd->type)) bound = &target;
  }
  if (!nd->options) return NLB_GUARD_PASSED;
  if (nlb_guard_is_unspecified(bound)) return NLB_GUARD_REASON(nd_malformed); /* RFC 4861 section 4.3 */
  if (nd->type == NLB_ND_REDIRECT) return nlb_guard_mention_pair(frame, bound, nd->mac);
  return nlb_guard_judge_pair(frame, bound, nd->mac, NLB_GUARD_REASON(nd_mac), NLB_GUARD_REASON(nd_address));
}

#endif
