/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The maps, shared by all programs of one interface: the loader creates them once and hands them to every
 * object. */
#ifndef NLB_BPF_MAPS_H
#define NLB_BPF_MAPS_H

#include <nlb/abi/heartbeat.h>
#include <nlb/abi/visit.h>

#include "common.h"

#define NLB_MAPPED_ARRAY(map_name, value_type, entries) \
  struct {                                              \
    __uint(type, BPF_MAP_TYPE_ARRAY);                   \
    __uint(map_flags, BPF_F_MMAPABLE);                  \
    __uint(max_entries, entries);                       \
    __type(key, __u32);                                 \
    __type(value, value_type);                          \
  } map_name SEC(".maps")

NLB_MAPPED_ARRAY(nlb_control, struct nlb_control, 1);
NLB_MAPPED_ARRAY(nlb_banks, struct nlb_bank, NLB_BANK_COUNT);
NLB_MAPPED_ARRAY(nlb_ports, struct nlb_port_block, NLB_PORT_BLOCK_COUNT);
NLB_MAPPED_ARRAY(nlb_buckets, struct nlb_bucket_row, NLB_MAX_SLOTS);
NLB_MAPPED_ARRAY(nlb_live, struct nlb_live_row, NLB_MAX_SLOTS);
NLB_MAPPED_ARRAY(nlb_visits, struct nlb_visit_row, NLB_MAX_SLOTS);
NLB_MAPPED_ARRAY(nlb_recalls, struct nlb_recall, NLB_RECALL_CELLS);

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, NLB_FRAGMENT_ENTRIES);
  __type(key, struct nlb_fragment_key);
  __type(value, __u32);
} nlb_fragments SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, NLB_RESET_ENTRIES);
  __type(key, struct nlb_reset_key);
  __type(value, __u64);
} nlb_resets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, NLB_TAG_KEYS);
  __type(key, struct nlb_tag_id);
  __type(value, struct nlb_tag_key);
} nlb_tag_keys SEC(".maps");

/* The newest number of each incarnation that the daemon believes. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, NLB_SENDERS_MAX);
  __type(key, struct nlb_sender);
  __type(value, __u64);
} nlb_senders SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, NLB_BUDGET_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} nlb_budgets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, NLB_VERDICT_COUNT);
  __type(key, __u32);
  __type(value, struct nlb_counter);
} nlb_counters SEC(".maps");

#endif
