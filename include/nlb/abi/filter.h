/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Layout of the maps between the daemon and the kernel programs. Fixed width, no padding; sizes and offsets
 * are asserted by both compilers.
 *
 * Whatever the daemon configures stands in two banks; nlb_control.active_bank names the one in force. The
 * daemon fills the other one, then switches with one store. A program reads the number once per frame.
 *
 * NLB_ABI_VERSION stands first in nlb_control. A daemon that finds another number there leaves those maps
 * alone and brings its own. Change it with every change of a layout, of a map's size or of what a value
 * means. */
#ifndef NLB_ABI_FILTER_H
#define NLB_ABI_FILTER_H

#include <linux/types.h>

#include "limits.h"
#include "mark.h"

#ifndef NLB_ABI_VERSION
#define NLB_ABI_VERSION 3
#endif

#ifdef __cplusplus
#define NLB_ASSERT(what) static_assert(what, #what)
#else
#define NLB_ASSERT(what) _Static_assert(what, #what)
#endif

#define NLB_ETHERTYPE_HEARTBEAT 0x88b5 /* IEEE 802 local experimental */

#define NLB_PORTS_PER_BLOCK 64
#define NLB_BLOCKS_PER_TABLE (65536 / NLB_PORTS_PER_BLOCK)
#define NLB_TABLE_TCP 0
#define NLB_TABLE_UDP 1
#define NLB_BANK_COUNT 2
#define NLB_PORT_BLOCK_COUNT (NLB_BANK_COUNT * NLB_MAX_VIPS * 2 * NLB_BLOCKS_PER_TABLE)

#define NLB_VIP_TABLE_BITS 10
#define NLB_VIP_TABLE_SIZE (1 << NLB_VIP_TABLE_BITS)

/* Of a message about a VIP; more are malformed. Keeps verification short. */
#define NLB_MAX_VIP_ND_OPTIONS 16

#define NLB_FRAGMENT_ENTRIES 8192
#define NLB_RESET_ENTRIES 16384
#define NLB_RESET_FORGET_NS 10000000000ULL /* a reset provoked again later than this starts anew */

/* State of one bucket: two bits. */
#define NLB_BUCKET_OWNED 1   /* new flows are this host's */
#define NLB_BUCKET_CHECKED 2 /* in transition: other segments need a matching local socket */

/* nlb_bank.flags */
#define NLB_BANK_BOUND 1   /* this host serves the virtual IP addresses */
#define NLB_BANK_REPLACE 2 /* the adapter's MAC is the cluster MAC */
#define NLB_BANK_HAS_MAC 4 /* cluster_mac is set */
#define NLB_BANK_ASKS \
  8 /* connections are translated here: the guard asks connection tracking (decisions/0012) */

struct nlb_control {
  __u32 abi_version;
  __u32 active_bank;
  __u64 lease_ns;          /* CLOCK_BOOTTIME; new flows are accepted before this instant; 0 = never */
  __u32 recall_generation; /* visit.h: the one in which clients are remembered now */
  __u32 unused;
};
NLB_ASSERT(sizeof(struct nlb_control) == 24);
NLB_ASSERT(__builtin_offsetof(struct nlb_control, lease_ns) == 8);

/* nlb_slot.flags */
#define NLB_SLOT_ENABLED 1  /* not set: filtering mode disabled */
#define NLB_SLOT_EXTENDED 2 /* extended affinity: visits are noted (visit.h) */

struct nlb_slot {
  __u8 affinity; /* NLB_AFFINITY_* */
  __u8 flags;    /* NLB_SLOT_* */
};
NLB_ASSERT(sizeof(struct nlb_slot) == 2);

/* One place of the perfect hash of IPv4 virtual addresses: the daemon picks vip_multiplier so that no two
 * collide. */
struct nlb_vip_entry {
  __u32 address; /* network order */
  __u32 number;  /* index + 1; 0 = empty */
};
NLB_ASSERT(sizeof(struct nlb_vip_entry) == 8);

/* An IPv6 address as it stands in a packet. */
struct nlb_address6 {
  __u32 words[4]; /* network order */
};
NLB_ASSERT(sizeof(struct nlb_address6) == 16);

struct nlb_bank {
  __u32 abi_version;
  __u32 flags;
  __u64 seed[2]; /* the 16 bytes as two little-endian numbers */
  __u64 reset_wait_ns;
  __u32 dedicated_ip; /* network order; 0 = none */
  __u32 vip_multiplier;
  __u8 cluster_mac[6];
  __u8 masked_mac[6];
  __u8 adapter_mac[6];       /* the adapter's own; under `replace`, the one it had before */
  __u8 source_mac[6];        /* what this host sends from: adapter_mac, or masked_mac under `replace` */
  struct nlb_slot slots[68]; /* NLB_MAX_SLOTS and two unused */
  struct nlb_vip_entry vips[NLB_VIP_TABLE_SIZE];
  /* IPv6: the perfect hash leads to a number, the number to the address. */
  __u32 vip6_multiplier;
  __u32 dedicated6_set; /* 0: the adapter has no IPv6 address of its own */
  struct nlb_address6 dedicated6;
  __u8 vip6_numbers[NLB_VIP_TABLE_SIZE]; /* index + 1; 0 = empty */
  struct nlb_address6 vips6[NLB_MAX_VIPS];
};
NLB_ASSERT(__builtin_offsetof(struct nlb_bank, seed) == 8);
NLB_ASSERT(__builtin_offsetof(struct nlb_bank, cluster_mac) == 40);
NLB_ASSERT(__builtin_offsetof(struct nlb_bank, slots) == 64);
NLB_ASSERT(__builtin_offsetof(struct nlb_bank, vips) == 200);
NLB_ASSERT(__builtin_offsetof(struct nlb_bank, vip6_multiplier) == 200 + 8 * NLB_VIP_TABLE_SIZE);
NLB_ASSERT(sizeof(struct nlb_bank) == 224 + 9 * NLB_VIP_TABLE_SIZE + 16 * NLB_MAX_VIPS);
NLB_ASSERT(NLB_MAX_SLOTS <= 68);

/* Slots of 64 neighbouring ports; NLB_SLOT_DEFAULT where no rule matches. Index: nlb_port_index(). */
struct nlb_port_block {
  __u8 slots[NLB_PORTS_PER_BLOCK];
};
NLB_ASSERT(sizeof(struct nlb_port_block) == 64);

struct nlb_bucket_row {
  __u8 states[NLB_BUCKET_COUNT]; /* NLB_BUCKET_* */
};
NLB_ASSERT(sizeof(struct nlb_bucket_row) == NLB_BUCKET_COUNT);

struct nlb_live_row {
  __u32 connections[NLB_BUCKET_COUNT];
};
NLB_ASSERT(sizeof(struct nlb_live_row) == 4 * NLB_BUCKET_COUNT);

struct nlb_counter {
  __u64 packets;
  __u64 bytes;
};
NLB_ASSERT(sizeof(struct nlb_counter) == 16);

/* Addresses in keys: network order, IPv4 v4-mapped. */
struct nlb_fragment_key {
  __u32 source[4], destination[4];
  __u32 id;       /* network order */
  __u32 protocol; /* IPv6: 0, fragments of a packet need not agree on it */
};
NLB_ASSERT(sizeof(struct nlb_fragment_key) == 40);

struct nlb_reset_key {
  __u32 client[4], vip[4];
  __u16 client_port, vip_port; /* network order */
};
NLB_ASSERT(sizeof(struct nlb_reset_key) == 36);

/* Handed from XDP to tc in front of the frame: the decision is taken. */
struct nlb_metadata {
  __u32 magic; /* NLB_METADATA_MAGIC ^ interface index */
  __u32 verdict;
};
NLB_ASSERT(sizeof(struct nlb_metadata) == 8);
#define NLB_METADATA_MAGIC (0x4e4c4200U + NLB_ABI_VERSION)

static inline __attribute__((always_inline)) __u32 nlb_port_index(__u32 bank, __u32 vip, __u32 table,
                                                                  __u32 port) {
  return ((bank * NLB_MAX_VIPS + vip) * 2 + table) * NLB_BLOCKS_PER_TABLE + port / NLB_PORTS_PER_BLOCK;
}

/* address in host order */
static inline __attribute__((always_inline)) __u32 nlb_vip_place(__u32 multiplier, __u32 address) {
  return (__u32)(address * multiplier) >> (32 - NLB_VIP_TABLE_BITS);
}

/* The four words, each in host order: a polynomial in the multiplier, so that another one parts what this
 * one does not. */
static inline __attribute__((always_inline)) __u32 nlb_vip6_place(__u32 multiplier, __u32 a, __u32 b, __u32 c,
                                                                  __u32 d) {
  __u32 folded = ((a * multiplier + b) * multiplier + c) * multiplier + d;

  return nlb_vip_place(multiplier, folded);
}

#endif
