/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The configuration in force, and the questions that it answers: is this a virtual IP address, is this our
 * MAC, is the lease valid. */
#ifndef NLB_BPF_BANK_H
#define NLB_BPF_BANK_H

#include "maps.h"

struct nlb_view {
  const struct nlb_control* control;
  const struct nlb_bank* bank;
  __u32 bank_index;
};

static nlb_inline int nlb_view_open(struct nlb_view* view) {
  __u32 zero = 0;

  view->control = bpf_map_lookup_elem(&nlb_control, &zero);
  if (!view->control) return 0;
  view->bank_index = *(const volatile __u32*)&view->control->active_bank;
  view->bank = bpf_map_lookup_elem(&nlb_banks, &view->bank_index);
  return view->bank != 0;
}

/* Number (index + 1) of a virtual IP address, 0 for any other. */
static nlb_inline __u32 nlb_vip_number(const struct nlb_bank* bank, __be32 address) {
  __u32 place = nlb_vip_place(bank->vip_multiplier, bpf_ntohl(address));
  const struct nlb_vip_entry* entry = &bank->vips[place & (NLB_VIP_TABLE_SIZE - 1)];

  if (entry->address != address) return 0;
  return entry->number <= NLB_MAX_VIPS ? entry->number : 0;
}

static nlb_inline int nlb_same_address6(const __u32* a, const __u32* b) {
  return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
}

/* The same for IPv6; four words in network order. */
static nlb_inline __u32 nlb_vip6_number(const struct nlb_bank* bank, const __u32* address) {
  __u32 place = nlb_vip6_place(bank->vip6_multiplier, bpf_ntohl(address[0]), bpf_ntohl(address[1]),
                               bpf_ntohl(address[2]), bpf_ntohl(address[3]));
  __u32 number = bank->vip6_numbers[place & (NLB_VIP_TABLE_SIZE - 1)];

  if (!number || number > NLB_MAX_VIPS) return 0;
  return nlb_same_address6(bank->vips6[(number - 1) & (NLB_MAX_VIPS - 1)].words, address) ? number : 0;
}

static nlb_inline int nlb_mac_equal(const void* a, const void* b) {
  const __u16 *x = a, *y = b;

  return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2])) == 0;
}

static nlb_inline int nlb_is_cluster_mac(const struct nlb_bank* bank, const void* mac) {
  return (bank->flags & NLB_BANK_HAS_MAC) && nlb_mac_equal(mac, bank->cluster_mac);
}

/* The clock is read only here: where a frame could begin a flow. */
static nlb_inline int nlb_lease_valid(const struct nlb_control* control) {
  __u64 lease = *(const volatile __u64*)&control->lease_ns;

  return lease && bpf_ktime_get_boot_ns() < lease;
}

#endif
