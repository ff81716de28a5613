// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// For the tests: the kernel takes a frame's outermost VLAN tag off before tc sees it, BPF_PROG_TEST_RUN does
// not. This program puts one into the packet's metadata, as the kernel would have, and goes on to the program
// under test.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 3); /* enum nlb_guard_direction, transmit_told */
  __type(key, __u32);
  __type(value, __u32);
} under_test SEC(".maps");

SEC("tc")
int push_tag(struct __sk_buff* skb) {
  if (bpf_skb_vlan_push(skb, bpf_htons(0x8100), skb->cb[0])) return TC_ACT_STOLEN;
  bpf_tail_call(skb, &under_test, skb->cb[1]);
  return TC_ACT_STOLEN;
}

/* What the guard is measured against. */
SEC("tc")
int empty_tc(struct __sk_buff* skb) {
  (void)skb;
  return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual BSD/GPL";
