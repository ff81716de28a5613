/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The maps of the port guard, shared by both programs and all ports: the loader creates them once and hands
 * them to every object. Layout and who writes what: <nlb/abi/guard.h>. */
#ifndef NLB_BPF_GUARD_MAPS_H
#define NLB_BPF_GUARD_MAPS_H

#include "guard_common.h"

#define NLB_GUARD_HASH(map_name, map_type, key_type, value_type, entries) \
  struct {                                                                \
    __uint(type, map_type);                                               \
    __uint(map_flags, BPF_F_NO_PREALLOC);                                 \
    __uint(max_entries, entries);                                         \
    __type(key, key_type);                                                \
    __type(value, value_type);                                            \
  } map_name SEC(".maps")

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE); /* the daemon writes single fields beside those of the programs */
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct nlb_guard_control);
} guard_control SEC(".maps");

/* Allocated in advance: a policy change never fails for want of memory. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, NLB_GUARD_MAX_PORTS);
  __type(key, __u32);
  __type(value, struct nlb_guard_port);
} guard_ports SEC(".maps");

NLB_GUARD_HASH(guard_macs, BPF_MAP_TYPE_HASH, struct nlb_guard_mac_key, struct nlb_guard_mac,
               NLB_GUARD_MAX_MACS);
NLB_GUARD_HASH(guard_addresses, BPF_MAP_TYPE_HASH, struct nlb_guard_address_key, struct nlb_guard_address,
               NLB_GUARD_MAX_ADDRESSES);
NLB_GUARD_HASH(guard_states, BPF_MAP_TYPE_HASH, __u32, struct nlb_guard_state, NLB_GUARD_MAX_PORTS);
NLB_GUARD_HASH(guard_learned, BPF_MAP_TYPE_HASH, struct nlb_guard_learned_key, struct nlb_guard_learned,
               NLB_GUARD_MAX_LEARNED);
NLB_GUARD_HASH(guard_counters, BPF_MAP_TYPE_PERCPU_HASH, struct nlb_guard_counter_key,
               struct nlb_guard_counter, NLB_GUARD_MAX_COUNTERS);
NLB_GUARD_HASH(guard_reports, BPF_MAP_TYPE_HASH, struct nlb_guard_counter_key, __u64, NLB_GUARD_MAX_COUNTERS);

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, NLB_GUARD_EVENT_BYTES);
} guard_events SEC(".maps");

#endif
