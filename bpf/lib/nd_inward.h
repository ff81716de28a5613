/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Neighbour discovery, inward: what ARP is for IPv4. Every host with a lease answers a solicitation for a
 * virtual IP address, with the cluster MAC; the kernel never sees it. Nobody else may claim the address: such
 * a claim is dropped and counted, but packet sockets hear it (conflict detection). An answer to a virtual IP
 * address or to the cluster MAC is accepted by all.
 *
 * What is behind more extension headers than are walked, or in fragments (RFC 6980), is left to the kernel:
 * its own answer is mended on the way out. What RFC 4861 section 7.1 has a receiver discard (hop limit, code,
 * length) says nothing here either; the checksum is not looked at: an answer to a spoiled question does no
 * harm. */
#ifndef NLB_BPF_ND_INWARD_H
#define NLB_BPF_ND_INWARD_H

#include <linux/ipv6.h>

#include "bank.h"
#include "extension.h"
#include "frame.h"
#include "nd.h"

#define NLB_ND_HOP_LIMIT 255

/* Where the payload ends by the header, or 0 for a header that lies. A frame may be longer (padding), never
 * shorter; a merged one (BIG TCP) is longer than the header can say and says 0. */
static nlb_inline __u32 nlb_ipv6_payload_end(const struct nlb_frame* frame, const struct ipv6hdr* ip) {
  __u32 begin = frame->network_offset + sizeof(*ip);
  __u32 available = frame->bytes - begin, bytes = bpf_ntohs(ip->payload_len);

  if (ip->version != 6) return 0;
  if (bytes == 0 && available > 65535) bytes = available;
  return bytes > available ? 0 : begin + bytes;
}

static nlb_inline int nlb_may_be_nd(const struct nlb_frame* frame) {
  struct ipv6hdr* ip = frame->network;

  if ((void*)(ip + 1) > frame->end) return 0;
  return ip->nexthdr == NLB_NEXT_ICMPV6 || nlb_is_extension(ip->nexthdr);
}

/* The message claims a virtual IP address for its sender: by a member of the cluster? */
static nlb_inline __u32 nlb_judge_nd_claim(struct nlb_frame* frame, const struct nlb_bank* bank,
                                           struct nlb_nd* nd) {
  if (!nlb_read_nd(frame->ctx, nd) || !nd->options) return NLB_VERDICT_vip_conflict;
  return nlb_is_cluster_mac(bank, nd->mac) ? NLB_VERDICT_nd_peer : NLB_VERDICT_vip_conflict;
}

static nlb_inline long nlb_load_target(const struct nlb_frame* frame, const struct nlb_nd* nd, __u32* words) {
  return nlb_load(frame->ctx, nd->offset + NLB_ND_TARGET_OFFSET, words, 16);
}

static nlb_inline __u32 nlb_judge_solicitation(const struct nlb_view* view) {
  if (!(view->bank->flags & NLB_BANK_BOUND)) return NLB_VERDICT_not_bound;
  return nlb_lease_valid(view->control) ? NLB_VERDICT_nd_answered : NLB_VERDICT_no_lease;
}

/* nd->offset and nd->end are known. */
static nlb_inline __u32 nlb_judge_nd(struct nlb_frame* frame, const struct nlb_view* view,
                                     const struct ipv6hdr* ip, struct nlb_nd* nd) {
  __u32 words[4]; /* of the address in question */
  __u8 head[2];   /* type, code */

  if (nlb_load(frame->ctx, nd->offset, head, sizeof(head)) || !nlb_is_nd(head[0])) return NLB_UNDECIDED;
  nd->type = head[0];
  if (ip->hop_limit != NLB_ND_HOP_LIMIT || head[1] || nd->offset + nlb_nd_head_bytes(nd->type) > nd->end)
    return NLB_UNDECIDED;
  __builtin_memcpy(words, &ip->saddr, sizeof(words));
  if (nlb_nd_binds_target(nd->type) && nlb_load_target(frame, nd, words)) return NLB_UNDECIDED;
  if (nlb_vip6_number(view->bank, words)) return nlb_judge_nd_claim(frame, view->bank, nd);
  if (nd->type == NLB_ND_NEIGHBOUR_SOLICITATION)
    return !nlb_load_target(frame, nd, words) && nlb_vip6_number(view->bank, words)
               ? nlb_judge_solicitation(view)
               : NLB_UNDECIDED;
  if (nd->type == NLB_ND_ROUTER_SOLICITATION) return NLB_UNDECIDED;
  if (nd->type == NLB_ND_NEIGHBOUR_ADVERTISEMENT && nlb_is_cluster_mac(view->bank, frame->begin))
    return NLB_VERDICT_nd_to_vip;
  __builtin_memcpy(words, &ip->daddr, sizeof(words));
  return nlb_vip6_number(view->bank, words) ? NLB_VERDICT_nd_to_vip : NLB_UNDECIDED;
}

/* A function of its own, not a part of ipv6.h's, for the sake of the stack. */
static __attribute__((noinline)) __u32 nlb_decide_nd(struct nlb_frame* frame, const struct nlb_view* view) {
  struct ipv6hdr* ip = frame->network;
  struct nlb_nd nd = {};

  if ((void*)(ip + 1) > frame->end) return NLB_UNDECIDED;

  struct nlb_upper upper = {.offset = frame->network_offset + sizeof(*ip), .protocol = ip->nexthdr};

  if (nlb_is_extension(upper.protocol) && !nlb_find_upper(frame->ctx, &upper)) return NLB_UNDECIDED;
  if (upper.protocol != NLB_NEXT_ICMPV6 || upper.fragment_headers) return NLB_UNDECIDED;
  nd.offset = upper.offset;
  nd.end = nlb_ipv6_payload_end(frame, ip);
  return nlb_judge_nd(frame, view, ip, &nd);
}

#endif
