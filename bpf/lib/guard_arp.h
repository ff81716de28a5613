/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ARP and reverse ARP. The sender pair binds in every operation: hosts learn from requests too. The target
 * pair binds in replies and where it repeats the sender's address (gratuitous ARP); in a request it is a
 * question. */
#ifndef NLB_BPF_GUARD_ARP_H
#define NLB_BPF_GUARD_ARP_H

#include "guard_address.h"

#define NLB_GUARD_ARP_REPLY 2

struct nlb_guard_arp { /* RFC 826, IPv4 over Ethernet */
  __be16 hardware, protocol;
  __u8 hardware_bytes, protocol_bytes;
  __be16 operation;
  __u8 sender_mac[6], sender_ip[4];
  __u8 target_mac[6], target_ip[4];
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_arp) == 28);

/* Hardware 6 is IEEE 802: nobody sends it, but Linux reads it as Ethernet. */
static nlb_inline int nlb_guard_read_arp(const struct nlb_guard_frame* frame, struct nlb_guard_arp* arp) {
  if (bpf_skb_load_bytes(frame->skb, frame->network_offset, arp, sizeof(*arp))) return 0;
  if (arp->hardware != bpf_htons(1) &&
      (arp->hardware != bpf_htons(6) || frame->port->role != NLB_GUARD_ROLE_UPLINK))
    return 0;
  return arp->protocol == bpf_htons(ETH_P_IP) && arp->hardware_bytes == 6 && arp->protocol_bytes == 4;
}

static nlb_inline int nlb_guard_same_ipv4(const void* a, const void* b) {
  const __u16 *x = a, *y = b;

  return x[0] == y[0] && x[1] == y[1];
}

/* Zero and broadcast stand for "not known": they bind nothing. */
static nlb_inline __u32 nlb_guard_judge_arp_target(struct nlb_guard_frame* frame,
                                                   const struct nlb_guard_arp* arp) {
  int repeats = nlb_guard_same_ipv4(arp->sender_ip, arp->target_ip);
  struct nlb_guard_address_key key;

  if (nlb_guard_is_zero_mac(arp->target_mac) || nlb_guard_is_broadcast(arp->target_mac))
    return NLB_GUARD_PASSED;
  if (!repeats && arp->operation != bpf_htons(NLB_GUARD_ARP_REPLY)) return NLB_GUARD_PASSED;
  nlb_guard_ipv4_key(&key, frame, arp->target_ip);
  if (!repeats) return nlb_guard_mention_pair(frame, &key, arp->target_mac);
  return nlb_guard_judge_pair(frame, &key, arp->target_mac, NLB_GUARD_REASON(arp_mac),
                              NLB_GUARD_REASON(arp_address));
}

static nlb_inline __u32 nlb_guard_judge_arp(struct nlb_guard_frame* frame) {
  struct nlb_guard_address_key key;
  struct nlb_guard_arp arp;
  __u32 reason;

  frame->free_offset = NLB_GUARD_NOWHERE;
  if (!nlb_guard_read_arp(frame, &arp))
    return frame->port->role == NLB_GUARD_ROLE_UPLINK ? NLB_GUARD_PASSED : NLB_GUARD_REASON(arp_malformed);
  nlb_guard_ipv4_key(&key, frame, arp.sender_ip);
  reason = nlb_guard_judge_pair(frame, &key, arp.sender_mac, NLB_GUARD_REASON(arp_mac),
                                NLB_GUARD_REASON(arp_address));
  return reason == NLB_GUARD_PASSED ? nlb_guard_judge_arp_target(frame, &arp) : reason;
}

/* The adapter's own, or under `on` one that is nobody's. */
static nlb_inline int nlb_guard_may_rarp(const struct nlb_guard_frame* frame, const __u8* mac) {
  if (nlb_guard_is_own_mac(frame, mac)) return 1;
  return frame->port->spoofing == NLB_GUARD_SPOOFING_ON && !(mac[0] & 1) && !nlb_guard_is_zero_mac(mac) &&
         !nlb_guard_find_mac(frame, mac);
}

static nlb_inline __u32 nlb_guard_judge_rarp(struct nlb_guard_frame* frame) {
  struct nlb_guard_arp arp;

  frame->free_offset = NLB_GUARD_NOWHERE;
  if (frame->port->role == NLB_GUARD_ROLE_UPLINK) return NLB_GUARD_PASSED;
  if (!nlb_guard_read_arp(frame, &arp)) return NLB_GUARD_REASON(arp_malformed);
  if (!nlb_guard_may_rarp(frame, arp.sender_mac))
    return nlb_guard_blame_mac(frame, arp.sender_mac, NLB_GUARD_REASON(rarp));
  if (!nlb_guard_may_rarp(frame, arp.target_mac))
    return nlb_guard_blame_mac(frame, arp.target_mac, NLB_GUARD_REASON(rarp));
  return NLB_GUARD_PASSED;
}

#endif
