/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Makes sure that a frame begins at its Ethernet header.
 *
 * Generic XDP runs when the skb is made already. Where the kernel has to copy a frame for it (a cloned one,
 * as every TCP segment over veth is, or one with little headroom), the copy loses skb->mac_len (seen on Linux
 * 6.18), and a tc program then begins at the IP header. Whoever attached the generic program, ours or not,
 * the filter has to judge the frame. Pushing the header back also mends mac_len, for everybody after us. */
#ifndef NLB_BPF_MEND_H
#define NLB_BPF_MEND_H

#include <linux/if_ether.h>

#include "common.h"

static nlb_inline int nlb_same_ethernet(const __u16* a, const __u16* b) {
  __u16 differing = 0;

#pragma unroll
  for (int i = 0; i < ETH_HLEN / 2; ++i) differing |= a[i] ^ b[i];
  return differing == 0;
}

/* 0: the frame begins at its Ethernet header now; packet pointers have to be taken anew. */
static nlb_inline int nlb_mend_ethernet(struct __sk_buff* skb) {
  __u16 header[ETH_HLEN / 2];
  void* data = (void*)(long)skb->data;

  if (bpf_skb_load_bytes_relative(skb, 0, header, ETH_HLEN, BPF_HDR_START_MAC)) return -1;
  if (data + ETH_HLEN > (void*)(long)skb->data_end || nlb_same_ethernet(header, data)) return 0;
  if (bpf_skb_change_head(skb, ETH_HLEN, 0)) return -1;
  return bpf_skb_store_bytes(skb, 0, header, ETH_HLEN, 0) ? -1 : 0;
}

#endif
