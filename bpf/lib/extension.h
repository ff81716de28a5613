/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* IPv6 extension headers: a chain that is walked up to a number of headers, to what matters behind them. The
 * filter and the guard of ports walk alike. */
#ifndef NLB_BPF_EXTENSION_H
#define NLB_BPF_EXTENSION_H

#include "load.h"

enum { /* next header: IANA, protocol numbers */
       NLB_NEXT_HOP_BY_HOP = 0,
       NLB_NEXT_TCP = 6,
       NLB_NEXT_UDP = 17,
       NLB_NEXT_ROUTING = 43,
       NLB_NEXT_FRAGMENT = 44,
       NLB_NEXT_AUTHENTICATION = 51,
       NLB_NEXT_ICMPV6 = 58,
       NLB_NEXT_DESTINATION_OPTIONS = 60,
       NLB_NEXT_MOBILITY = 135,
       NLB_NEXT_HIP = 139,
       NLB_NEXT_SHIM6 = 140
};

struct nlb_upper { /* what the extension headers lead to; offsets count from the frame's beginning */
  __u32 offset;
  __u32 id; /* of the last fragment header, network order */
  __u8 protocol;
  __u8 fragment_headers;
  __u8 more;  /* the last fragment header: more fragments follow */
  __u8 later; /* not the first fragment: nothing to be read here */
};

static nlb_inline int nlb_is_extension(__u8 type) {
  return type == NLB_NEXT_HOP_BY_HOP || type == NLB_NEXT_ROUTING || type == NLB_NEXT_FRAGMENT ||
         type == NLB_NEXT_AUTHENTICATION || type == NLB_NEXT_DESTINATION_OPTIONS ||
         type == NLB_NEXT_MOBILITY || type == NLB_NEXT_HIP || type == NLB_NEXT_SHIM6;
}

static nlb_inline int nlb_step_over_fragment(struct nlb_context* ctx, struct nlb_upper* upper,
                                             const __u8 head[4]) {
  if (nlb_load(ctx, upper->offset + 4, &upper->id, sizeof(upper->id))) return 0;
  upper->fragment_headers += 1;
  upper->more = head[3] & 1;
  upper->later = (head[2] | (head[3] & 0xf8)) != 0;
  return 1;
}

/* One extension header: 0 when it is cut off. */
static nlb_inline int nlb_step_over(struct nlb_context* ctx, struct nlb_upper* upper) {
  __u8 head[4] __attribute__((aligned(2))); /* next header, length or reserved, fragment offset and flags */
  __u32 bytes;

  if (nlb_load(ctx, upper->offset, head, sizeof(head))) return 0;
  bytes = (head[1] + 1U) * 8;
  if (upper->protocol == NLB_NEXT_AUTHENTICATION) bytes = (head[1] + 2U) * 4;
  if (upper->protocol == NLB_NEXT_FRAGMENT) {
    bytes = 8;
    if (!nlb_step_over_fragment(ctx, upper, head)) return 0;
  }
  upper->protocol = head[0];
  upper->offset += bytes;
  return 1;
}

/* From upper->offset and upper->protocol on. 0 when the chain is cut off or too long. A function of its own
 * for the verifier, which looks at it once. */
__attribute__((noinline)) int nlb_find_upper(struct nlb_context* ctx, struct nlb_upper* upper) {
  if (!upper) return 0;
  for (int i = 0; i < NLB_MAX_EXTENSION_HEADERS; ++i) {
    if (upper->later || !nlb_is_extension(upper->protocol)) return 1;
    if (!nlb_step_over(ctx, upper)) return 0;
  }
  return upper->later || !nlb_is_extension(upper->protocol);
}

#endif
