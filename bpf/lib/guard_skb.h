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

/* 0: the frame leaves with the octets that it has now. */
static nlb_inline int nlb_guard_read_checksum(struct __sk_buff* skb, struct nlb_guard_checksum* checksum) {
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

#endif
