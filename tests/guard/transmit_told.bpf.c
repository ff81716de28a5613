// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// For the tests: BPF_PROG_TEST_RUN makes no frame whose checksum is still to be put in. This is the program
// under test with another answer to that question: from the control block, where the test has put it.
#define NLB_BPF_GUARD_SKB_H /* in place of guard_skb.h */
#include "../../bpf/lib/guard_common.h"

static nlb_inline int nlb_guard_read_checksum(struct __sk_buff* skb, struct nlb_guard_checksum* checksum) {
  checksum->begin = skb->cb[2];
  checksum->field = skb->cb[3];
  return 1;
}

#include "../../bpf/nlb_guard_transmit.bpf.c"
