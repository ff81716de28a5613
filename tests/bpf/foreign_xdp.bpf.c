// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Somebody else's program; and the empty one that the benchmark compares with. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int foreign_xdp(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_PASS;
}

SEC("xdp.frags") /* any section but the first one, which ip(8) is told to load */
int empty_drop(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
