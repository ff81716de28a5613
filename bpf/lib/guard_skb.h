/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a program is not told of a frame: it is read from the kernel's own struct. A file of its own, as
 * BPF_PROG_TEST_RUN cannot set it: the tests put another in its place. */
#ifndef NLB_BPF_GUARD_SKB_H
#define NLB_BPF_GUARD_SKB_H

#include <bpf/bpf_core_read.h>

#include "guard_common.h"

#define NLB_CHECKSUM_PARTIAL 3 /* CHECKSUM_PARTIAL of the kernel */

/* As far as it is read here; offsets are corrected at load time (CO-RE). */
struct sk_buff {
  __u16 csum_start, csum_offset; /* the first from `head` */
  __u8 ip_summed : 2;
  unsigned char *head, *data;
} __attribute__((preserve_access_index));

/* Linux 6.2 and later let a program look at the kernel's struct itself; before, each field is copied by a
 * helper, which takes longer than all the rest of the question. */
enum special_kfunc_type { KF_bpf_cast_to_kern_ctx };
extern void* bpf_cast_to_kern_ctx(void* context) __ksym __attribute__((weak));

static nlb_inline int nlb_guard_look_at_checksum(struct __sk_buff* skb, struct nlb_guard_checksum* checksum) {
  const struct sk_buff* kernels = bpf_cast_to_kern_ctx(skb);

  if (BPF_CORE_READ_BITFIELD(kernels, ip_summed) != NLB_CHECKSUM_PARTIAL) return 0;
  checksum->begin = kernels->csum_start - (__s32)(kernels->data - kernels->head);
  checksum->field = checksum->begin + kernels->csum_offset;
  return 1;
}

static nlb_inline int nlb_guard_copy_checksum(struct __sk_buff* skb, struct nlb_guard_checksum* checksum) {
  const struct sk_buff* kernels = (const struct sk_buff*)skb;
  unsigned char *head, *data;
  __u16 begin, offset;

  if (BPF_CORE_READ_BITFIELD_PROBED(kernels, ip_summed) != NLB_CHECKSUM_PARTIAL) return 0;
  bpf_core_read(&begin, sizeof(begin), &kernels->csum_start);
  bpf_core_read(&offset, sizeof(offset), &kernels->csum_offset);
  bpf_core_read(&head, sizeof(head), &kernels->head);
  bpf_core_read(&data, sizeof(data), &kernels->data);
  checksum->begin = begin - (__s32)(data - head);
  checksum->field = checksum->begin + offset;
  return 1;
}

/* 0: the frame leaves with the octets that it has now. */
static nlb_inline int nlb_guard_read_checksum(struct __sk_buff* skb, struct nlb_guard_checksum* checksum) {
  return bpf_core_enum_value_exists(enum special_kfunc_type, KF_bpf_cast_to_kern_ctx)
             ? nlb_guard_look_at_checksum(skb, checksum)
             : nlb_guard_copy_checksum(skb, checksum);
}

#endif
