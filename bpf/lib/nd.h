/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Neighbour discovery messages (RFC 4861): the link-layer address options bind, each in the messages for
 * which it is defined.
 *
 *   message                  binds           by option
 *   router solicitation      source          1 (source link-layer address)
 *   router advertisement     source          1
 *   neighbour solicitation   source          1
 *   neighbour advertisement  target          2 (target link-layer address)
 *   redirect                 target          2
 *
 * An option of that type may be repeated when it says the same; one that says something else is malformed. */
#ifndef NLB_BPF_ND_H
#define NLB_BPF_ND_H

#include "load.h"

#ifndef NLB_ND_OPTIONS_READ /* a program may read more, before it includes this */
#define NLB_ND_OPTIONS_READ NLB_MAX_VIP_ND_OPTIONS
#endif

enum {
  NLB_ND_ROUTER_SOLICITATION = 133,
  NLB_ND_ROUTER_ADVERTISEMENT,
  NLB_ND_NEIGHBOUR_SOLICITATION,
  NLB_ND_NEIGHBOUR_ADVERTISEMENT,
  NLB_ND_REDIRECT
};

#define NLB_ND_TARGET_OFFSET 8 /* behind the message's beginning, where it has a target */

struct nlb_nd {
  __u32 offset;        /* of the ICMPv6 header */
  __u32 end;           /* by the IPv6 header */
  __u32 option_offset; /* of the last option that binds */
  __u8 type;
  __u8 options; /* how many there are that bind, up to 255 */
  __u8 mac[6] __attribute__((aligned(2)));
};

struct nlb_nd_option {
  __u8 type, units; /* of eight octets */
  __u8 mac[6] __attribute__((aligned(2)));
};

static nlb_inline int nlb_is_nd(__u8 type) {
  return type >= NLB_ND_ROUTER_SOLICITATION && type <= NLB_ND_REDIRECT;
}

static nlb_inline __u32 nlb_nd_head_bytes(__u8 type) {
  if (type == NLB_ND_ROUTER_SOLICITATION) return 8;
  if (type == NLB_ND_ROUTER_ADVERTISEMENT) return 16;
  return type == NLB_ND_REDIRECT ? 40 : 24;
}

static nlb_inline int nlb_nd_has_target(__u8 type) {
  return type >= NLB_ND_NEIGHBOUR_SOLICITATION;
}

static nlb_inline int nlb_nd_binds_target(__u8 type) {
  return type == NLB_ND_NEIGHBOUR_ADVERTISEMENT || type == NLB_ND_REDIRECT;
}

static nlb_inline int nlb_take_nd_option(struct nlb_nd* nd, const struct nlb_nd_option* option,
                                         __u32 offset) {
  const __u16* said = (const __u16*)option->mac;
  __u16* kept = (__u16*)nd->mac;

  if (option->type != (nlb_nd_binds_target(nd->type) ? 2 : 1)) return 1;
  if (option->units != 1) return 0;
  if (nd->options && ((said[0] ^ kept[0]) | (said[1] ^ kept[1]) | (said[2] ^ kept[2]))) return 0;
  kept[0] = said[0];
  kept[1] = said[1];
  kept[2] = said[2];
  nd->option_offset = offset;
  nd->options += nd->options < 255;
  return 1;
}

/* Walks the options, each within the message: 0 when they are malformed or too many. A function of its own
 * for the verifier, which looks at it once. */
__attribute__((noinline)) int nlb_read_nd(struct nlb_context* ctx, struct nlb_nd* nd) {
  struct nlb_nd_option option;
  __u32 offset;

  if (!nd) return 0;
  offset = nd->offset + nlb_nd_head_bytes(nd->type);
  if (nd->end > nlb_frame_bytes(ctx) || offset > nd->end) return 0;
  for (int i = 0; i < NLB_ND_OPTIONS_READ && offset != nd->end; ++i) {
    if (offset > nd->end || nlb_load(ctx, offset, &option, sizeof(option)) || !option.units) return 0;
    if (!nlb_take_nd_option(nd, &option, offset)) return 0;
    offset += option.units * 8U;
  }
  return offset == nd->end;
}

#endif
