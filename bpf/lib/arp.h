/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ARP, inward. Every host with a lease answers for a virtual IP address, with the cluster MAC in the payload;
 * the kernel never sees such a request. Nobody else may claim the address: such a claim is dropped and
 * counted, but packet sockets hear it (conflict detection). */
#ifndef NLB_BPF_ARP_H
#define NLB_BPF_ARP_H

#include <linux/if_ether.h>

#include "bank.h"
#include "frame.h"

/* RFC 826; <linux/if_arp.h> drags the C library in */
#define NLB_ARP_ETHERNET 1
#define NLB_ARP_REQUEST 1
#define NLB_ARP_REPLY 2

struct nlb_arp {
  __be16 hardware, protocol;
  __u8 hardware_bytes, protocol_bytes;
  __be16 operation;
  __u8 sender_mac[6];
  __u8 sender_ip[4];
  __u8 target_mac[6];
  __u8 target_ip[4];
};
NLB_ASSERT(sizeof(struct nlb_arp) == 28);

static nlb_inline __be32 nlb_arp_address(const __u8* bytes) {
  const __u16* half = (const __u16*)bytes;
  __u16 both[2] = {half[0], half[1]};

  return *(__be32*)both;
}

/* The ARP packet when it is one for IPv4 over Ethernet, else null. */
static nlb_inline struct nlb_arp* nlb_parse_arp(void* network, void* end) {
  struct nlb_arp* arp = network;

  if ((void*)(arp + 1) > end) return 0;
  if (arp->hardware != bpf_htons(NLB_ARP_ETHERNET) || arp->protocol != bpf_htons(ETH_P_IP)) return 0;
  return arp->hardware_bytes == 6 && arp->protocol_bytes == 4 ? arp : 0;
}

static nlb_inline __u32 nlb_decide_arp(struct nlb_frame* frame, const struct nlb_view* view) {
  const struct nlb_bank* bank = view->bank;
  struct nlb_arp* arp = nlb_parse_arp(frame->network, frame->end);

  if (!arp) return NLB_UNDECIDED;
  if (nlb_vip_number(bank, nlb_arp_address(arp->sender_ip)))
    return nlb_is_cluster_mac(bank, arp->sender_mac) ? NLB_VERDICT_arp_peer : NLB_VERDICT_vip_conflict;

  int to_vip = nlb_vip_number(bank, nlb_arp_address(arp->target_ip)) != 0;

  if (arp->operation == bpf_htons(NLB_ARP_REQUEST) && to_vip) {
    if (!(bank->flags & NLB_BANK_BOUND)) return NLB_VERDICT_not_bound;
    return nlb_lease_valid(view->control) ? NLB_VERDICT_arp_answered : NLB_VERDICT_no_lease;
  }
  if (arp->operation == bpf_htons(NLB_ARP_REPLY) && (to_vip || nlb_is_cluster_mac(bank, frame->begin)))
    return NLB_VERDICT_arp_to_vip;
  return NLB_UNDECIDED;
}

#endif
