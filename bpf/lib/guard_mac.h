/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Whose a MAC is, and whether this port may use it. One look-up tells: the port's own, another port's, or one
 * of a cluster. */
#ifndef NLB_BPF_GUARD_MAC_H
#define NLB_BPF_GUARD_MAC_H

#include "guard_maps.h"

static nlb_inline const struct nlb_guard_mac* nlb_guard_find_mac(const struct nlb_guard_frame* frame,
                                                                 const void* mac) {
  struct nlb_guard_mac_key key = {.vlan = frame->vlan, .bridge = frame->port->bridge};
  const struct nlb_guard_mac* owner;

  nlb_guard_copy_mac(key.mac, mac);
  owner = bpf_map_lookup_elem(&guard_macs, &key);
  if (owner) return owner;
  key.vlan = NLB_GUARD_ANY_VLAN;
  return bpf_map_lookup_elem(&guard_macs, &key);
}

static nlb_inline int nlb_guard_is_own_mac(const struct nlb_guard_frame* frame, const void* mac) {
  return nlb_guard_same_mac(mac, frame->port->mac) && !nlb_guard_is_zero_mac(mac);
}

/* 02-bf-… (unicast) or 03-bf-… (multicast): what NLB makes of a virtual IP address. */
static nlb_inline int nlb_guard_is_cluster_pattern(const __u8* mac) {
  return (mac[0] & 0xfe) == 2 && mac[1] == 0xbf;
}

/* A MAC of a cluster that its members have in common. */
static nlb_inline int nlb_guard_is_shared(const struct nlb_guard_mac* owner) {
  return owner && (owner->kind == NLB_GUARD_MAC_CLUSTER || owner->kind == NLB_GUARD_MAC_VIRTUAL ||
                   owner->kind == NLB_GUARD_MAC_GROUP);
}

/* A declared MAC: passed when it is this port's, else whose it is. */
static nlb_inline __u32 nlb_guard_judge_owned(const struct nlb_guard_frame* frame,
                                              const struct nlb_guard_mac* owner) {
  if (owner->kind == NLB_GUARD_MAC_PORT)
    return owner->ifindex == frame->ifindex ? NLB_GUARD_PASSED : NLB_GUARD_REASON(neighbour_mac);
  if (!frame->member || owner->cluster != frame->member) return NLB_GUARD_REASON(foreign_cluster);
  if (owner->kind == NLB_GUARD_MAC_MASKED && owner->host_id != frame->port->host_id)
    return NLB_GUARD_REASON(duplicate_host_id);
  return NLB_GUARD_PASSED;
}

#endif
