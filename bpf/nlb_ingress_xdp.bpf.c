// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The filter in XDP: a speed-up. Drops what is not ours before a buffer is made for it and hands its decision
 * to tc in front of the frame, so that it is taken once. It never changes or answers a frame: XDP_TX needs
 * transmit rings that veth and small virtio adapters do not have (the frame is then lost silently), and
 * packet type and mark can only be set by tc. Whatever it cannot see whole, or cannot hand over, tc decides.
 */
#define nlb_load_bytes bpf_xdp_load_bytes
#include "lib/decide.h"

static nlb_inline void nlb_hand_over(struct xdp_md* ctx, __u32 verdict) {
  struct nlb_metadata* metadata;

  if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*metadata))) return;
  metadata = (void*)(long)ctx->data_meta;
  if ((void*)(metadata + 1) > (void*)(long)ctx->data) return;
  metadata->magic = NLB_METADATA_MAGIC ^ ctx->ingress_ifindex;
  metadata->verdict = verdict;
}

SEC("xdp.frags")
int nlb_ingress_xdp(struct xdp_md* ctx) {
  struct nlb_frame frame = {.ctx = ctx, .begin = (void*)(long)ctx->data, .end = (void*)(long)ctx->data_end};
  struct nlb_view view;
  __u64 linear = (__u64)(frame.end - frame.begin);
  __u32 verdict;

  frame.bytes = (__u32)bpf_xdp_get_buff_len(ctx);
  if (linear < frame.bytes && linear < NLB_HEADER_BYTES) return XDP_PASS;
  if (!nlb_view_open(&view)) return XDP_PASS;
  verdict = nlb_decide(&frame, &view);
  nlb_count(verdict, frame.bytes);
  if (nlb_action_of(verdict) == NLB_ACTION_DROP) return XDP_DROP;
  nlb_hand_over(ctx, verdict);
  return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
