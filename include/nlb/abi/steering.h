/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Maps by which a guarded bridge gives a cluster's frames only to those members whose filter may take them
 * (docs/decisions/0015). Written by nlb-vmswitch alone, but for what `transmit` notes in nlb_guard_state.
 *
 * A member's port has one nlb_guard_steered and a row for each slot. Both name the generation of the
 * announcement that they were made of; they count only while that is the newest one that the port has sent,
 * and sent lately. So nothing here needs to be written at once: what does not fit together is not in force,
 * and then every frame goes to that member.
 *
 * Members that say the same of seed, addresses and rules share one nlb_steering_config. It is never changed
 * while a port refers to it. */
#ifndef NLB_ABI_STEERING_H
#define NLB_ABI_STEERING_H

#include <linux/types.h>

#include "limits.h"

#ifdef __cplusplus
#define NLB_STEERING_ASSERT(what) static_assert(what, #what)
#else
#define NLB_STEERING_ASSERT(what) _Static_assert(what, #what)
#endif

#define NLB_STEERING_MAX_CONFIGS 32 /* 152 KB each */
#define NLB_STEERING_MAX_VIPS (NLB_STEERING_MAX_CONFIGS * NLB_MAX_VIPS)
#define NLB_STEERING_MAX_ROWS (4096 * NLB_MAX_SLOTS) /* memory only for what is in it */
#define NLB_STEERING_MAX_CLASSES 160                 /* 64 rules part a protocol's ports into at most 129 */
#define NLB_STEERING_TABLE_TCP 0
#define NLB_STEERING_TABLE_UDP 1

/* A member says each second what it said before; three times missed, and it is believed no more. */
#define NLB_STEERING_FRESH_NS 3000000000ULL
/* Parts of announcements that a port may hand to user space: each change has some tens of them. */
#define NLB_STEERING_PARTS_PER_SECOND 1000
#define NLB_STEERING_RING_BYTES (1 << 18)

/* The fixed beginning of an announcement (docs/protocol/steering-announcement.md), as it is on the wire. */
struct nlb_steering_header {
  __u8 magic[4]; /* "ONLO" */
  __u8 major, minor;
  __u16 total_length; /* big-endian, as all that follows */
  __u32 generation;
  __u8 flags, part, part_count, reserved;
};
NLB_STEERING_ASSERT(sizeof(struct nlb_steering_header) == 16);
#define NLB_STEERING_MAJOR 1
#define NLB_STEERING_MAX_BYTES 1500 /* of Ethernet payload */

struct nlb_guard_steered { /* guard_steered: interface index (__u32) -> */
  __u32 generation;
  __u32 config; /* index in guard_steering */
};
NLB_STEERING_ASSERT(sizeof(struct nlb_guard_steered) == 8);

struct nlb_steering_row_key {
  __u32 ifindex;
  __u32 slot;
};
NLB_STEERING_ASSERT(sizeof(struct nlb_steering_row_key) == 8);

struct nlb_steering_row { /* guard_rows */
  __u32 generation;
  __u32 zero;
  __u64 accepts[NLB_BUCKET_COUNT / 64];  /* bit bucket % 64 of word bucket / 64: the filter may take some */
  __u64 replicas[NLB_BUCKET_COUNT / 64]; /* of those: also a member's of the same rules at an earlier port */
};
NLB_STEERING_ASSERT(sizeof(struct nlb_steering_row) == 8 + 2 * (NLB_BUCKET_COUNT / 8));

struct nlb_steering_vip_key { /* guard_vips: -> number (__u32), index + 1 */
  __u32 config;
  __u8 address[16]; /* IPv4 v4-mapped */
};
NLB_STEERING_ASSERT(sizeof(struct nlb_steering_vip_key) == 20);

/* guard_members: the ports that get frames to the cluster's unicast MAC on that bridge, all of them. Of
 * frames that come in at a port with NLB_GUARD_PORT_DIRECTS, one of which a single one of these takes, as all
 * say in announcements that are in force, goes to that one alone: as far as its port the frame has that
 * member's own MAC as its destination. */
struct nlb_steering_members_key {
  __u16 bridge;
  __u16 cluster;
};
NLB_STEERING_ASSERT(sizeof(struct nlb_steering_members_key) == 4);

#define NLB_STEERING_MAX_MEMBERS 64 /* a cluster's hosts */
#define NLB_STEERING_MAX_MEMBER_SETS 4096

struct nlb_steering_members {
  __u8 mac[6]; /* the cluster's */
  __u16 count; /* 0: nothing is sent to one alone */
  __u32 ifindex[NLB_STEERING_MAX_MEMBERS];
};
NLB_STEERING_ASSERT(sizeof(struct nlb_steering_members) == 264);

/* From a port to its slot in two reads: ports that no rule parts are of one class. */
struct nlb_steering_config {
  __u64 seed[2];       /* the 16 bytes as two little-endian numbers */
  __u8 affinities[72]; /* NLB_AFFINITY_* by slot: NLB_MAX_SLOTS and unused ones */
  __u8 classes[2][65536];
  __u8 slots[2][NLB_MAX_VIPS][NLB_STEERING_MAX_CLASSES];
};
NLB_STEERING_ASSERT(__builtin_offsetof(struct nlb_steering_config, classes) == 88);
NLB_STEERING_ASSERT(sizeof(struct nlb_steering_config) ==
                    88 + 2 * 65536 + 2 * NLB_MAX_VIPS * NLB_STEERING_MAX_CLASSES);
NLB_STEERING_ASSERT(NLB_MAX_SLOTS <= 72 && 2 * NLB_MAX_RULES + 1 <= NLB_STEERING_MAX_CLASSES);

/* What a member says of itself comes by the same ring (docs/protocol/fence-notice.md). */
struct nlb_steering_part { /* guard_parts, a ring: one part of a member's announcement */
  __u32 ifindex;
  __u32 bytes;                              /* of `payload` */
  __u8 payload[NLB_STEERING_MAX_BYTES + 4]; /* from the magic on */
};
NLB_STEERING_ASSERT(sizeof(struct nlb_steering_part) == 1512);

#endif
