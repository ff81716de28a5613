/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Layout of the maps between nlb-vmswitch and the kernel programs that guard the ports of a bridge. Fixed
 * width, no padding; sizes and offsets are asserted by both compilers. Addresses are octets in the order of
 * the wire, IPv4 v4-mapped (::ffff:a.b.c.d); numbers are in host order.
 *
 * The same two programs stand on every port of every guarded bridge: `transmit` at tc ingress (what the guest
 * sends), `receive` at tc egress (what it gets). A port is found by its interface index, a MAC or an address
 * by the set it is in: a frame costs the same however many ports there are.
 *
 * Who writes: the daemon guard_control, guard_ports, guard_macs, guard_addresses; the programs all others
 * (the daemon deletes from those what belongs to a port that is gone, before that index gets a policy again).
 *
 * Changing a policy without a moment that is more open than both the old and the new one:
 *   1. put into guard_macs and guard_addresses what is new or changed (it restricts the others at once),
 *   2. write the port's value in guard_ports: one update of one value, which frames see whole or not at all,
 *   3. delete from guard_macs and guard_addresses what is no longer there.
 * A port that goes loses its value in guard_ports first: without one it passes nothing.
 * guard_control.generation is odd while this goes on, so that a daemon that finds it odd knows that its
 * predecessor died half-way.
 *
 * NLB_GUARD_ABI_VERSION stands first in guard_control. Change it with every change of a layout, of a map's
 * size or of what a value means. */
#ifndef NLB_ABI_GUARD_H
#define NLB_ABI_GUARD_H

#include <linux/types.h>

#include "guard_reason.h"
#include "limits.h"

#ifndef NLB_GUARD_ABI_VERSION
#define NLB_GUARD_ABI_VERSION 6
#endif

#ifdef __cplusplus
#define NLB_GUARD_ASSERT(what) static_assert(what, #what)
#else
#define NLB_GUARD_ASSERT(what) _Static_assert(what, #what)
#endif

/* Bit of skb->mark that `transmit` sets on every frame it lets through. The bridge's nftables chain drops
 * frames of guarded ports without it. Not NLB_MARK or NLB_MARK_ASK: a frame may carry them, too. */
#define NLB_GUARD_MARK 0x20000000U
/* Bit that `transmit` sets on a frame to a cluster MAC that it sends to one member's own MAC, and clears on
 * every other; `receive` puts the cluster MAC back and clears it (steering.h). */
#define NLB_GUARD_DIRECTED_MARK 0x08000000U

#define NLB_ETHERTYPE_POLICY 0x88b6        /* IEEE 802 local experimental 2: a guest is told its policy */
#define NLB_ETHERTYPE_NLB_HEARTBEAT 0x886f /* Windows NLB; OpenNLB's own is NLB_ETHERTYPE_HEARTBEAT */
/* the only destination of a policy announcement: nearest bridge, never forwarded (IEEE 802.1AB) */
#define NLB_GUARD_ANNOUNCEMENT_MAC \
  { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e }

/* Sizes. All but guard_ports take memory only for what is in them. */
#define NLB_GUARD_MAX_PORTS 4096        /* a Linux bridge has at most 1024; several bridges */
#define NLB_GUARD_MAX_CLUSTERS 256      /* numbers 1..256 */
#define NLB_GUARD_MAX_MACS 65536        /* ports; of each cluster and VLAN its MACs and 64 masked ones */
#define NLB_GUARD_MAX_ADDRESSES 65536   /* eight a port and VLAN */
#define NLB_GUARD_MAX_LEARNED 65536     /* sources of ports with max_macs */
#define NLB_GUARD_MAX_COUNTERS 131072   /* 32 of all reasons and directions a port */
#define NLB_GUARD_EVENT_BYTES (1 << 18) /* ring: some 2000 events */

#define NLB_GUARD_HEAD_BYTES 64 /* of the frame, in an event */

/* A limited port may send the limit's frames of this time at once, at least one. */
#define NLB_GUARD_BURST_NS 100000000ULL

/* A member's heartbeats do not count against its storm limit but have this share, four times what the fast
 * profile sends. */
#define NLB_GUARD_HEARTBEAT_PPS 400

/* Sets are keyed by bridge, VLAN and MAC or address: two bridges of one machine may have the same addresses,
 * and a guest that routes between them speaks on each for the other's. The daemon numbers its bridges.
 *
 * A MAC that is the port's in every VLAN is entered once, under this VLAN: what {VLAN, MAC} does not find is
 * looked up under {NLB_GUARD_ANY_VLAN, MAC}. The rule for own MACs: a bridge that does not filter VLANs has
 * one table for all, and a frame tagged otherwise with a neighbour's MAC would move that neighbour in it. */
#define NLB_GUARD_ANY_VLAN 0xffff

struct nlb_guard_control {
  __u32 abi_version;
  __u32 flags;              /* none yet: 0 */
  __u64 generation;         /* odd: a change of policy has begun and not ended */
  __u64 report_interval_ns; /* at most one event a port, direction and reason within this */
  __u64 events_lost;        /* written by the programs: the ring was full */
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_control) == 32);
NLB_GUARD_ASSERT(__builtin_offsetof(struct nlb_guard_control, events_lost) == 24);

enum nlb_guard_role { NLB_GUARD_ROLE_GUEST, NLB_GUARD_ROLE_UPLINK };
enum nlb_guard_spoofing { NLB_GUARD_SPOOFING_OFF, NLB_GUARD_SPOOFING_CLUSTER, NLB_GUARD_SPOOFING_ON };
enum nlb_guard_violation {
  NLB_GUARD_VIOLATION_DROP,
  /* counted and reported, but let through; not_for_port is dropped all the same */
  NLB_GUARD_VIOLATION_REPORT,
  /* dropped, and the port passes nothing in either direction until it is recovered */
  NLB_GUARD_VIOLATION_SHUTDOWN
};
enum nlb_guard_direction { NLB_GUARD_TRANSMIT, NLB_GUARD_RECEIVE }; /* as the guest sees it */

/* nlb_guard_port.flags */
#define NLB_GUARD_PORT_AUDIT 1         /* count and report what would be dropped; drop nothing */
#define NLB_GUARD_PORT_DHCP_GUARD 2    /* guest */
#define NLB_GUARD_PORT_ROUTER_GUARD 4  /* guest */
#define NLB_GUARD_PORT_ADDRESSES_SET 8 /* guest: only its addresses in guard_addresses may be claimed */
#define NLB_GUARD_PORT_STICKY 16       /* learned MACs do not age: last_ns is not kept */
/* With ADDRESSES_SET: every fe80::/10 may be claimed, not only the one that is made from `mac`. */
#define NLB_GUARD_PORT_ANY_LINK_LOCAL 32
/* Own addresses may be bound to the cluster MAC, as Windows NLB does. */
#define NLB_GUARD_PORT_CLUSTER_DEDICATED 64
/* guest: nothing gets in or out but announcements between it and the switch (docs/decisions/0018). Not in
 * audit. */
#define NLB_GUARD_PORT_FENCED 128
/* Steering: what comes in here for a cluster concerns no member but those on this bridge. The port is its
 * only uplink, or it has none. */
#define NLB_GUARD_PORT_DIRECTS 256

/* guard_ports: interface index (__u32) -> policy. Whoever writes a value anew carries recovered_ns and
 * macs_forgotten over. The storm limit knows nothing of unknown unicast: that is the bridge's to tell. */
struct nlb_guard_port {
  __u64 recovered_ns;    /* CLOCK_BOOTTIME: earlier violations no longer keep the port down */
  __u32 flags;           /* NLB_GUARD_PORT_* */
  __u32 storm_limit_pps; /* broadcast and multicast frames; 0 = no limit */
  __u32 max_macs;        /* under `on`: sources in all, a place for `mac` included; 0 = no limit */
  __u32 macs_forgotten;  /* how many of guard_learned the daemon has deleted, since ever */
  __u16 vlan;            /* of frames without a tag (or with tag 0); the PVID where the bridge filters */
  __u16 cluster;         /* member of this cluster; 0 = none. Ignored under `off` */
  __u8 role, spoofing, violation;
  __u8 host_id;       /* nlb: 1..64 */
  __u8 mac[6];        /* the adapter's own; zero = none known */
  __u8 masked_mac[6]; /* nlb unicast: of this host id; zero = none. Judged by guard_macs, not by this */
  __u16 bridge;       /* number of its bridge: whose sets hold for the port */
  __u16 zero;
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_port) == 48);
NLB_GUARD_ASSERT(__builtin_offsetof(struct nlb_guard_port, vlan) == 24);
NLB_GUARD_ASSERT(__builtin_offsetof(struct nlb_guard_port, mac) == 32);

/* What the programs keep of a port; the daemon reads. Down: down_ns > recovered_ns of the policy. */
struct nlb_guard_state {
  __u64 storm_ns, heartbeat_ns; /* until when what was sent uses up the limit (CLOCK_BOOTTIME) */
  __u64 down_ns;                /* the latest violation of a port with `shutdown`; 0 = none */
  __u32 down_reason;
  __u32 macs_learned; /* since ever; in guard_learned are macs_learned - macs_forgotten */
  /* steering.h: the member's newest announcement, and when it came (CLOCK_MONOTONIC, coarse) */
  __u64 announced_ns;
  __u64 announcement_ns; /* as storm_ns, of announcements */
  __u32 announced_generation;
  __u32 zero;
  __u64 heartbeat_heard_ns; /* the member's newest one for its cluster (CLOCK_MONOTONIC, coarse) */
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_state) == 64);

/* Whose a MAC is. */
enum nlb_guard_mac_kind {
  NLB_GUARD_MAC_PORT,    /* own MAC of port `ifindex`; `cluster` is its cluster, or 0 */
  NLB_GUARD_MAC_CLUSTER, /* NLB unicast cluster MAC: never a source; bound to VIPs; delivered to members */
  NLB_GUARD_MAC_VIRTUAL, /* VRRP, CARP, list: members send from it and receive it, VIPs are bound to it */
  NLB_GUARD_MAC_MASKED,  /* NLB unicast masked MAC of host_id; ifindex 0: that host is elsewhere */
  NLB_GUARD_MAC_GROUP    /* multicast: NLB multicast or IGMP cluster MAC (bound to VIPs), heartbeat group */
};

struct nlb_guard_mac_key {
  __u16 vlan; /* or NLB_GUARD_ANY_VLAN */
  __u8 mac[6];
  __u16 bridge;
  __u16 zero;
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_mac_key) == 12);

struct nlb_guard_mac {
  __u32 ifindex;
  __u16 cluster;
  __u8 kind; /* enum nlb_guard_mac_kind */
  __u8 host_id;
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_mac) == 8);

/* Whose an address is, and the MAC that it may be bound to. */
enum nlb_guard_address_kind { NLB_GUARD_ADDRESS_OWN, NLB_GUARD_ADDRESS_VIP };

/* nlb_guard_address.flags: other MACs that the address may be bound to */
#define NLB_GUARD_BIND_VIRTUAL 1 /* VIP: every NLB_GUARD_MAC_VIRTUAL of the cluster (a list of MACs) */
#define NLB_GUARD_BIND_OWN 2     /* VIP: every member's own MAC (VRRP without a virtual MAC) */
#define NLB_GUARD_BIND_ANY 4     /* OWN: its port is under `on`: every MAC that is nobody else's */

struct nlb_guard_address_key {
  __u8 address[16];
  __u16 vlan;
  __u16 bridge;
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_address_key) == 20);

struct nlb_guard_address {
  __u32 ifindex; /* OWN: of this port */
  __u16 cluster; /* VIP: of this cluster; OWN: at whose NLB cluster MAC it may be, too; 0 = none */
  __u8 kind;     /* enum nlb_guard_address_kind */
  __u8 flags;
  __u8 mac[6];       /* OWN: the port's own MAC; VIP: the MAC it is bound to, zero when only `flags` say */
  __u8 other_mac[6]; /* OWN, member of an NLB unicast cluster: its masked MAC; zero = none */
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_address) == 20);

/* guard_learned: sources of a port under `on` with max_macs, beside its own and its cluster's. */
struct nlb_guard_learned_key {
  __u32 ifindex;
  __u8 mac[6];
  __u16 zero;
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_learned_key) == 12);

struct nlb_guard_learned {
  __u64 first_ns; /* CLOCK_MONOTONIC, coarse */
  __u64 last_ns;  /* kept to about a second; with STICKY equal to first_ns */
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_learned) == 16);

/* guard_counters (per processor) and guard_reports (time of the last event) */
struct nlb_guard_counter_key {
  __u32 ifindex;
  __u16 direction; /* enum nlb_guard_direction */
  __u16 reason;    /* enum nlb_guard_reason */
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_counter_key) == 8);

struct nlb_guard_counter {
  __u64 packets;
  __u64 bytes;
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_counter) == 16);

/* guard_events: one violation, with the evidence. */
struct nlb_guard_event {
  __u64 time_ns; /* CLOCK_BOOTTIME */
  __u32 ifindex;
  __u32 frame_bytes; /* whole length, without a tag that the kernel took off */
  __u16 vlan;        /* the frame's, by tag or port */
  __u16 ether_type;  /* behind tags; 0 when the frame does not get so far */
  __u8 direction;    /* enum nlb_guard_direction */
  __u8 reason;       /* enum nlb_guard_reason */
  __u8 dropped;      /* 0: audit, or violation = report */
  __u8 has_address;  /* `address` is set */
  __u8 mac[6];       /* at fault; the Ethernet source when it is none in particular */
  __u8 head_bytes;   /* of `head` that are the frame's */
  __u8 zero;
  __u8 address[16]; /* at fault */
  __u8 head[NLB_GUARD_HEAD_BYTES];
};
NLB_GUARD_ASSERT(sizeof(struct nlb_guard_event) == 112);
NLB_GUARD_ASSERT(__builtin_offsetof(struct nlb_guard_event, mac) == 24);
NLB_GUARD_ASSERT(__builtin_offsetof(struct nlb_guard_event, address) == 32);
NLB_GUARD_ASSERT(__builtin_offsetof(struct nlb_guard_event, head) == 48);
NLB_GUARD_ASSERT(NLB_GUARD_REASON_COUNT <= 256);

#endif
