// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The filter in XDP: a speed-up. Drops what is not ours before a buffer is made for it and hands its decision
 * to tc in front of the frame, so that it is taken once. It never changes or answers a frame: XDP_TX needs
 * transmit rings that veth and small virtio adapters do not have (the frame is then lost silently), and
 * packet type and mark can only be set by tc. Whatever it cannot see whole, or cannot hand over, tc decides.
 */
#define NLB_XDP
#include "lib/decide.h"

/* Where an IP packet without tags ends by its header, counted from the frame's first octet; 0 = not known. */
static nlb_inline __u32 nlb_ip_end(const struct nlb_frame* frame) {
  const struct ethhdr* ethernet = frame->begin;
  const struct iphdr* ip = (const void*)(ethernet + 1);
  const struct ipv6hdr* ip6 = (const void*)(ethernet + 1);

  if ((void*)(ip + 1) > frame->end) return 0;
  if (ethernet->h_proto == bpf_htons(ETH_P_IP))
    return ip->tot_len ? sizeof(*ethernet) + bpf_ntohs(ip->tot_len) : 0;
  if ((void*)(ip6 + 1) <= frame->end && ethernet->h_proto == bpf_htons(ETH_P_IPV6))
    return ip6->payload_len ? sizeof(*ethernet) + sizeof(*ip6) + bpf_ntohs(ip6->payload_len) : 0;
  return 0;
}

/* A packet that ends in the first piece lacks nothing there. Only for others the kernel is asked: the call
 * would be a third of what it costs to drop a frame. */
static nlb_inline __u32 nlb_whole_bytes(const struct nlb_frame* frame, __u64 linear) {
  __u32 end = nlb_ip_end(frame);

  return end && end <= linear ? (__u32)linear : nlb_frame_bytes(frame->ctx);
}

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

  frame.bytes = nlb_whole_bytes(&frame, linear);
  if (linear < frame.bytes && linear < NLB_HEADER_BYTES) return XDP_PASS;
  if (!nlb_view_open(&view)) return XDP_PASS;
  verdict = nlb_decide(&frame, &view);
  nlb_count(verdict, frame.bytes);
  if (nlb_action_of(verdict) == NLB_ACTION_DROP) return XDP_DROP;
  nlb_hand_over(ctx, verdict);
  return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
