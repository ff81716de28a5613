/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Octets of a frame by their offset, copied to the stack: for headers that have no fixed place, and for
 * frames in several pieces. The helper differs between XDP and tc; a program in XDP says NLB_XDP before it
 * includes anything. */
#ifndef NLB_BPF_LOAD_H
#define NLB_BPF_LOAD_H

#include "common.h"

#ifdef NLB_XDP
#define nlb_context xdp_md
#else
#define nlb_context __sk_buff
#endif

/* 0: all of them were there. */
static nlb_inline long nlb_load(struct nlb_context* ctx, __u32 offset, void* to, __u32 bytes) {
#ifdef NLB_XDP
  return bpf_xdp_load_bytes(ctx, offset, to, bytes);
#else
  return bpf_skb_load_bytes(ctx, offset, to, bytes);
#endif
}

static nlb_inline __u32 nlb_frame_bytes(struct nlb_context* ctx) {
#ifdef NLB_XDP
  return (__u32)bpf_xdp_get_buff_len(ctx);
#else
  return ctx->len;
#endif
}

#endif
