/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What every file of the port guard includes first: the frame under judgement, and octets compared and
 * copied. */
#ifndef NLB_BPF_GUARD_COMMON_H
#define NLB_BPF_GUARD_COMMON_H

#include <linux/if_ether.h>
#include <nlb/abi/guard.h>
#include <nlb/abi/heartbeat.h>

#include "common.h"

#define NLB_GUARD_REASON(name) NLB_GUARD_REASON_##name
#define NLB_GUARD_PASSED NLB_GUARD_REASON_passed
#define NLB_GUARD_NOWHERE (~0U)

/* Ethernet, two tags and SNAP are 30 octets; a mask. */
#define NLB_GUARD_LAST_HEADER_OFFSET 63

/* A frame at a port. What is read of it is copied to the stack (bpf_skb_load_bytes), so that a frame in
 * several pieces is read like one in one piece. */
struct nlb_guard_frame {
  struct __sk_buff* skb;
  const struct nlb_guard_port* port;
  __u32 ifindex;
  __u32 network_offset; /* behind Ethernet, tags and SNAP */
  /* four octets behind this nothing is judged; NLB_GUARD_NOWHERE: there is no such place */
  __u32 free_offset;
  __u16 vlan;       /* by tag, else the port's */
  __u16 type;       /* EtherType, host order */
  __u16 member;     /* number of the cluster that the port is a member of; 0 = none */
  __u8 nested;      /* a second tag, or one behind SNAP: the payload is not read, but with read_through */
  __u8 has_address; /* fault_address is set */
  __u8 destination[6], source[6];
  __u8 fault_mac[6];
  __u8 read_through; /* one of two tags said no VLAN */
  __u8 unused[5];
  __u8 fault_address[16];
};

/* The checksum that a sender left to the kernel or the hardware. Both as octets from the frame's start. */
struct nlb_guard_checksum {
  __s32 begin; /* of what is summed up */
  __s32 field; /* where the sum is put */
};

static nlb_inline int nlb_guard_same_mac(const void* a, const void* b) {
  const __u16 *x = a, *y = b;

  return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2])) == 0;
}

static nlb_inline int nlb_guard_is_zero_mac(const void* mac) {
  const __u16* x = mac;

  return (x[0] | x[1] | x[2]) == 0;
}

static nlb_inline int nlb_guard_is_broadcast(const void* mac) {
  const __u16* x = mac;

  return (x[0] & x[1] & x[2]) == 0xffff;
}

static nlb_inline void nlb_guard_copy_mac(void* to, const void* from) {
  __u16* x = to;
  const __u16* y = from;

  x[0] = y[0];
  x[1] = y[1];
  x[2] = y[2];
}

/* The MAC at fault goes into the event. */
static nlb_inline __u32 nlb_guard_blame_mac(struct nlb_guard_frame* frame, const void* mac, __u32 reason) {
  nlb_guard_copy_mac(frame->fault_mac, mac);
  return reason;
}

/* Octets that every frame is asked for: in place where its first piece has them (each call of a helper costs
 * more than the look), else as of any frame in several pieces. `bytes` is a constant. 0: all were there. */
static nlb_inline long nlb_guard_load(struct __sk_buff* skb, __u32 offset, void* to, __u32 bytes) {
  const __u8 *at, *end = (const __u8*)(long)skb->data_end;

  asm volatile("" : "+r"(offset)); /* the verifier of Linux 6.1 does not follow the sum, but the mask */
  offset &= NLB_GUARD_LAST_HEADER_OFFSET;
  at = (const __u8*)(long)skb->data + offset;
  if (at + bytes > end) return bpf_skb_load_bytes(skb, offset, to, bytes);
  __builtin_memcpy(to, __builtin_assume_aligned(at, 2), bytes);
  return 0;
}

/* Where the next protocol stands in the IP header. */
#define NLB_GUARD_IPV4_PROTOCOL 9
#define NLB_GUARD_IPV6_NEXT_HEADER 6

/* By EtherType, ours or that of Windows NLB; or in IP, as in modes multicast and igmp. */
static nlb_inline int nlb_guard_is_heartbeat(const struct nlb_guard_frame* frame) {
  __u32 place = frame->type == ETH_P_IP ? NLB_GUARD_IPV4_PROTOCOL : NLB_GUARD_IPV6_NEXT_HEADER;
  __u8 protocol;

  if (frame->type == NLB_ETHERTYPE_HEARTBEAT || frame->type == NLB_ETHERTYPE_NLB_HEARTBEAT) return 1;
  if (frame->type != ETH_P_IP && frame->type != ETH_P_IPV6) return 0;
  if (nlb_guard_load(frame->skb, frame->network_offset + place, &protocol, sizeof(protocol))) return 0;
  return protocol == NLB_HEARTBEAT_PROTOCOL;
}

#endif
