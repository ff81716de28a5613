/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Pairs of address and MAC. The Ethernet source says who speaks, the payload of ARP and neighbour discovery
 * says where an address is to be found: the second is what poisons a neighbour's cache, and it is judged
 * apart from the first. */
#ifndef NLB_BPF_GUARD_ADDRESS_H
#define NLB_BPF_GUARD_ADDRESS_H

#include "guard_mac.h"

/* An address on the frame's bridge and VLAN, IPv4 v4-mapped. */
static nlb_inline void nlb_guard_ipv4_key(struct nlb_guard_address_key* key,
                                          const struct nlb_guard_frame* frame, const void* ipv4) {
  const __u16* half = ipv4;
  __u16* to = (__u16*)key->address;

  __builtin_memset(key, 0, sizeof(*key));
  to[5] = 0xffff;
  to[6] = half[0];
  to[7] = half[1];
  key->vlan = frame->vlan;
  key->bridge = frame->port->bridge;
}

static nlb_inline void nlb_guard_ipv6_key(struct nlb_guard_address_key* key,
                                          const struct nlb_guard_frame* frame, const void* ipv6) {
  __builtin_memcpy(key->address, ipv6, 16);
  key->vlan = frame->vlan;
  key->bridge = frame->port->bridge;
}

/* 0.0.0.0 or ::, of which nobody can be the owner. */
static nlb_inline int nlb_guard_is_unspecified(const struct nlb_guard_address_key* key) {
  const __u32* word = (const __u32*)key->address;
  int mapped = word[2] == bpf_htonl(0x0000ffff) || word[2] == 0;

  return (word[0] | word[1] | word[3]) == 0 && mapped;
}

/* RFC 4291 appendix A, and the universal bit turned: what a host makes of its own MAC. */
static nlb_inline int nlb_guard_is_own_link_local(const struct nlb_guard_frame* frame,
                                                  const struct nlb_guard_address_key* key) {
  const __u8 *address = key->address, *mac = frame->port->mac;

  if (address[0] != 0xfe || (address[1] & 0xc0) != 0x80) return 0;
  if (frame->port->flags & NLB_GUARD_PORT_ANY_LINK_LOCAL) return 1;
  if (address[1] != 0x80 || address[2] || address[3] || address[4] || address[5] || address[6] || address[7])
    return 0;
  return address[8] == (mac[0] ^ 2) && address[9] == mac[1] && address[10] == mac[2] && address[11] == 0xff &&
         address[12] == 0xfe && address[13] == mac[3] && address[14] == mac[4] && address[15] == mac[5];
}

static nlb_inline __u32 nlb_guard_blame_address(struct nlb_guard_frame* frame,
                                                const struct nlb_guard_address_key* key, __u32 reason) {
  __builtin_memcpy(frame->fault_address, key->address, 16);
  frame->has_address = 1;
  return reason;
}

/* May the port have this address at all? `entry` is what the set says of it. */
static nlb_inline __u32 nlb_guard_judge_address(const struct nlb_guard_frame* frame,
                                                const struct nlb_guard_address_key* key,
                                                const struct nlb_guard_address* entry, __u32 unlisted) {
  if (!entry) {
    if (!(frame->port->flags & NLB_GUARD_PORT_ADDRESSES_SET)) return NLB_GUARD_PASSED;
    return nlb_guard_is_own_link_local(frame, key) ? NLB_GUARD_PASSED : unlisted;
  }
  if (entry->kind == NLB_GUARD_ADDRESS_VIP)
    return frame->member && entry->cluster == frame->member ? NLB_GUARD_PASSED
                                                            : NLB_GUARD_REASON(foreign_vip);
  return entry->ifindex == frame->ifindex ? NLB_GUARD_PASSED : NLB_GUARD_REASON(neighbour_address);
}

/* A guest says that it has this address (IP source, duplicate address detection). */
static nlb_inline __u32 nlb_guard_claim_address(struct nlb_guard_frame* frame,
                                                const struct nlb_guard_address_key* key, __u32 unlisted) {
  const struct nlb_guard_address* entry;
  __u32 reason;

  if (nlb_guard_is_unspecified(key)) return NLB_GUARD_PASSED;
  entry = bpf_map_lookup_elem(&guard_addresses, key);
  reason = nlb_guard_judge_address(frame, key, entry, unlisted);
  return reason == NLB_GUARD_PASSED ? reason : nlb_guard_blame_address(frame, key, reason);
}

/* The MAC in a guest's payload, whatever the address. */
static nlb_inline __u32 nlb_guard_judge_payload_mac(const struct nlb_guard_frame* frame,
                                                    const struct nlb_guard_mac* owner, const __u8* mac,
                                                    __u32 foreign) {
  if (owner) return nlb_guard_judge_owned(frame, owner);
  if (frame->port->spoofing == NLB_GUARD_SPOOFING_ON)
    return nlb_guard_is_zero_mac(mac) || nlb_guard_is_broadcast(mac) ? foreign : NLB_GUARD_PASSED;
  return nlb_guard_is_cluster_pattern(mac) ? NLB_GUARD_REASON(rogue_cluster) : foreign;
}

/* A guest binds an address that it may have to a MAC that it may use: do the two go together? */
static nlb_inline int nlb_guard_may_bind(const struct nlb_guard_frame* frame,
                                         const struct nlb_guard_address* entry,
                                         const struct nlb_guard_mac* owner, const __u8* mac, int own) {
  if (!entry || entry->kind != NLB_GUARD_ADDRESS_VIP)
    return !nlb_guard_is_shared(owner) || own || (frame->port->flags & NLB_GUARD_PORT_CLUSTER_DEDICATED);
  if (nlb_guard_same_mac(mac, entry->mac)) return 1;
  if (own) return (entry->flags & NLB_GUARD_BIND_OWN) != 0;
  return owner && owner->kind == NLB_GUARD_MAC_VIRTUAL && (entry->flags & NLB_GUARD_BIND_VIRTUAL);
}

/* A guest says that this address is to be found at this MAC. */
static nlb_inline __u32 nlb_guard_claim_pair(struct nlb_guard_frame* frame,
                                             const struct nlb_guard_address_key* key, const __u8* mac,
                                             __u32 foreign, __u32 unlisted) {
  const struct nlb_guard_mac* owner = nlb_guard_find_mac(frame, mac);
  int own = nlb_guard_is_own_mac(frame, mac);
  const struct nlb_guard_address* entry;
  __u32 reason;

  reason = own ? NLB_GUARD_PASSED : nlb_guard_judge_payload_mac(frame, owner, mac, foreign);
  if (reason != NLB_GUARD_PASSED) return nlb_guard_blame_mac(frame, mac, reason);
  if (nlb_guard_is_unspecified(key)) return NLB_GUARD_PASSED; /* a probe binds nothing */
  entry = bpf_map_lookup_elem(&guard_addresses, key);
  reason = nlb_guard_judge_address(frame, key, entry, unlisted);
  if (reason == NLB_GUARD_PASSED && !nlb_guard_may_bind(frame, entry, owner, mac, own))
    reason = NLB_GUARD_REASON(vip_mac);
  if (reason == NLB_GUARD_PASSED) return reason;
  nlb_guard_blame_mac(frame, mac, reason);
  return nlb_guard_blame_address(frame, key, reason);
}

/* Where members use their own MACs, one that nobody declared may be a member's elsewhere. */
static nlb_inline int nlb_guard_is_vip_at(const struct nlb_guard_address* vip,
                                          const struct nlb_guard_mac* owner, const __u8* mac) {
  if (nlb_guard_is_zero_mac(mac)) return 0;
  if (nlb_guard_same_mac(mac, vip->mac)) return 1;
  if (!owner) return (vip->flags & NLB_GUARD_BIND_OWN) != 0;
  if (owner->cluster != vip->cluster) return 0;
  if (owner->kind == NLB_GUARD_MAC_VIRTUAL) return (vip->flags & NLB_GUARD_BIND_VIRTUAL) != 0;
  return owner->kind == NLB_GUARD_MAC_PORT && (vip->flags & NLB_GUARD_BIND_OWN);
}

static nlb_inline int nlb_guard_is_port_at(const struct nlb_guard_frame* frame,
                                           const struct nlb_guard_address* entry,
                                           const struct nlb_guard_mac* owner, const __u8* mac) {
  if (!entry->ifindex) return 1; /* elsewhere */
  if (nlb_guard_is_zero_mac(mac)) return 0;
  if (nlb_guard_same_mac(mac, entry->mac) || nlb_guard_same_mac(mac, entry->other_mac)) return 1;
  /* Windows NLB asks in the cluster MAC's name for its dedicated address, too, and is answered there. */
  if (owner && owner->kind == NLB_GUARD_MAC_CLUSTER && entry->cluster && owner->cluster == entry->cluster)
    return 1;
  return frame->port->role == NLB_GUARD_ROLE_GUEST && (entry->flags & NLB_GUARD_BIND_ANY) && !owner;
}

/* Somebody says where another's address is to be found (the uplink; the target of a reply; a redirect):
 * nothing that is known here to be otherwise. */
static nlb_inline __u32 nlb_guard_mention_pair(struct nlb_guard_frame* frame,
                                               const struct nlb_guard_address_key* key, const __u8* mac) {
  const struct nlb_guard_address* entry = bpf_map_lookup_elem(&guard_addresses, key);
  const struct nlb_guard_mac* owner;
  __u32 reason;

  if (!entry) return NLB_GUARD_PASSED;
  owner = nlb_guard_find_mac(frame, mac);
  if (entry->kind == NLB_GUARD_ADDRESS_VIP) {
    if (nlb_guard_is_vip_at(entry, owner, mac)) return NLB_GUARD_PASSED;
    reason = NLB_GUARD_REASON(vip_mac);
  } else {
    if (nlb_guard_is_port_at(frame, entry, owner, mac)) return NLB_GUARD_PASSED;
    reason = NLB_GUARD_REASON(neighbour_address);
  }
  nlb_guard_blame_mac(frame, mac, reason);
  return nlb_guard_blame_address(frame, key, reason);
}

/* A pair that the sender vouches for: a guest only for itself, the uplink for everybody who is not here. */
static nlb_inline __u32 nlb_guard_judge_pair(struct nlb_guard_frame* frame,
                                             const struct nlb_guard_address_key* key, const __u8* mac,
                                             __u32 foreign, __u32 unlisted) {
  if (frame->port->role == NLB_GUARD_ROLE_UPLINK) return nlb_guard_mention_pair(frame, key, mac);
  return nlb_guard_claim_pair(frame, key, mac, foreign, unlisted);
}

#endif
