/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What happens to a frame after it was judged. A sender may leave a checksum, and the cutting of a large
 * packet, to the kernel or the hardware (CHECKSUM_PARTIAL, GSO: virtio_net_hdr of a tap, a container's veth),
 * and says itself where the sum is to be put: by a padding of its choice it chooses the sum. On top of the
 * addresses in ARP that would be any address. So the sum may only go behind all that is judged: no ports, no
 * type, no header before them. Cutting changes IPv4's identification and length, TCP's sequence and flags,
 * UDP's length and nothing else, but makes a first fragment of any. */
#ifndef NLB_BPF_GUARD_OFFLOAD_H
#define NLB_BPF_GUARD_OFFLOAD_H

#include "guard_skb.h"

#define NLB_GUARD_JUDGED_TRANSPORT_BYTES 4 /* ports; type; virtual router id */

static nlb_inline __u32 nlb_guard_judge_offload(const struct nlb_guard_frame* frame) {
  struct nlb_guard_checksum checksum;
  int left = nlb_guard_read_checksum(frame->skb, &checksum);
  __s32 free_offset = frame->free_offset;

  if (frame->free_offset == NLB_GUARD_NOWHERE)
    return left || frame->skb->gso_size ? NLB_GUARD_REASON(checksum_offload) : NLB_GUARD_PASSED;
  /* Some hardware knows where TCP and UDP have it, and goes by the beginning. */
  if (!left ||
      (checksum.begin >= free_offset && checksum.field >= free_offset + NLB_GUARD_JUDGED_TRANSPORT_BYTES))
    return NLB_GUARD_PASSED;
  return NLB_GUARD_REASON(checksum_offload);
}

#endif
