// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Somebody else's programs; and the empty one that the benchmark compares with. ip(8) loads the first program
 * of the section that it is told. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int foreign_xdp(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_PASS;
}

/* Can read frames in several pieces: attached as generic XDP, the kernel copies frames for it in another way.
 */
SEC("xdp.frags")
int foreign_frags(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_PASS;
}

SEC("xdp.frags")
int empty_drop(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_DROP;
}

SEC("tc")
int empty_shot(struct __sk_buff* skb) {
  (void)skb;
  return 2; /* TC_ACT_SHOT */
}

char _license[] SEC("license") = "Dual BSD/GPL";
