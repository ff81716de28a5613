/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Steering: a member of an NLB cluster has announced which buckets its filter may take, and what its filter
 * would drop is not carried to it. Only what is certain is held back: a whole TCP or UDP packet to a virtual
 * IP address, without options or extension headers, while the announcement is the port's newest. The member's
 * filter stays the judge of all that it gets. */
#ifndef NLB_BPF_GUARD_STEERING_H
#define NLB_BPF_GUARD_STEERING_H

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <nlb/abi/hash.h>
#include <nlb/abi/steering.h>

#include "guard_mac.h"
#include "guard_state.h"

#define NLB_GUARD_FRAGMENTED 0x3fff /* more fragments, offset */

NLB_GUARD_HASH(guard_steered, BPF_MAP_TYPE_HASH, __u32, struct nlb_guard_steered, NLB_GUARD_MAX_PORTS);
NLB_GUARD_HASH(guard_rows, BPF_MAP_TYPE_HASH, struct nlb_steering_row_key, struct nlb_steering_row,
               NLB_STEERING_MAX_ROWS);
NLB_GUARD_HASH(guard_vips, BPF_MAP_TYPE_HASH, struct nlb_steering_vip_key, __u32, NLB_STEERING_MAX_VIPS);

NLB_GUARD_HASH(guard_members, BPF_MAP_TYPE_HASH, struct nlb_steering_members_key, struct nlb_steering_members,
               NLB_STEERING_MAX_MEMBER_SETS);

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, NLB_STEERING_MAX_CONFIGS);
  __type(key, __u32);
  __type(value, struct nlb_steering_config);
} guard_steering SEC(".maps");

struct nlb_steered_packet {
  __u32 client[4]; /* host order; IPv4 in the last word */
  struct nlb_steering_vip_key vip;
  __be16 ports[2];
  __u32 table;
  __u32 ipv6;
};

static nlb_inline int nlb_steering_table(__u8 protocol, __u32* table) {
  *table = protocol == IPPROTO_UDP ? NLB_STEERING_TABLE_UDP : NLB_STEERING_TABLE_TCP;
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

static nlb_inline int nlb_read_steered_ipv4(const struct nlb_guard_frame* frame,
                                            struct nlb_steered_packet* packet) {
  __u16* address = (__u16*)packet->vip.address;
  struct iphdr ip;

  if (bpf_skb_load_bytes(frame->skb, frame->network_offset, &ip, sizeof(ip))) return 0;
  if (ip.version != 4 || ip.ihl != 5 || (ip.frag_off & bpf_htons(NLB_GUARD_FRAGMENTED))) return 0;
  packet->client[3] = bpf_ntohl(ip.saddr);
  address[5] = 0xffff;
  __builtin_memcpy(&packet->vip.address[12], &ip.daddr, sizeof(ip.daddr));
  return nlb_steering_table(ip.protocol, &packet->table) &&
         !bpf_skb_load_bytes(frame->skb, frame->network_offset + sizeof(ip), packet->ports,
                             sizeof(packet->ports));
}

/* ::ffff:a.b.c.d is no address on the wire; where it is read as IPv4's, its bucket is another. */
static nlb_inline int nlb_is_mapped_source(const struct ipv6hdr* ip) {
  const __be32* word = ip->saddr.in6_u.u6_addr32;

  return (word[0] | word[1] | (word[2] ^ bpf_htonl(0xffff))) == 0;
}

static nlb_inline int nlb_read_steered_ipv6(const struct nlb_guard_frame* frame,
                                            struct nlb_steered_packet* packet) {
  struct ipv6hdr ip;

  if (bpf_skb_load_bytes(frame->skb, frame->network_offset, &ip, sizeof(ip)) || ip.version != 6) return 0;
  if (nlb_is_mapped_source(&ip)) return 0;
  for (int word = 0; word < 4; ++word) packet->client[word] = bpf_ntohl(ip.saddr.in6_u.u6_addr32[word]);
  __builtin_memcpy(packet->vip.address, &ip.daddr, sizeof(ip.daddr));
  packet->ipv6 = 1;
  return nlb_steering_table(ip.nexthdr, &packet->table) &&
         !bpf_skb_load_bytes(frame->skb, frame->network_offset + sizeof(ip), packet->ports,
                             sizeof(packet->ports));
}

static nlb_inline int nlb_read_steered(const struct nlb_guard_frame* frame,
                                       struct nlb_steered_packet* packet) {
  if (frame->nested) return 0;
  if (frame->type == ETH_P_IP) return nlb_read_steered_ipv4(frame, packet);
  return frame->type == ETH_P_IPV6 && nlb_read_steered_ipv6(frame, packet);
}

/* What the port has announced last is what was made into rows, and it was said lately. */
static nlb_inline int nlb_is_in_force(const struct nlb_guard_steered* steered, __u32 ifindex) {
  const struct nlb_guard_state* state = bpf_map_lookup_elem(&guard_states, &ifindex);

  if (!state || *(const volatile __u32*)&state->announced_generation != steered->generation) return 0;
  return bpf_ktime_get_coarse_ns() - state->announced_ns <= NLB_STEERING_FRESH_NS;
}

static nlb_inline __u32 nlb_steered_bucket(const struct nlb_steering_config* config, __u32 affinity,
                                           const struct nlb_steered_packet* packet) {
  __u32 port = bpf_ntohs(packet->ports[0]);

  return packet->ipv6 ? nlb_bucket_v6(config->seed[0], config->seed[1], affinity, packet->client, port)
                      : nlb_bucket_v4(config->seed[0], config->seed[1], affinity, packet->client[3], port);
}

struct nlb_steered_place {
  __u32 slot, bucket;
};

/* False: the rules do not tell. */
static nlb_inline int nlb_find_steered_place(const struct nlb_steered_packet* packet,
                                             struct nlb_steered_place* place) {
  const struct nlb_steering_config* config = bpf_map_lookup_elem(&guard_steering, &packet->vip.config);
  const __u32* number = bpf_map_lookup_elem(&guard_vips, &packet->vip);
  __u32 vip, port, kind, slot;

  if (!config || !number) return 0;
  vip = *number - 1;
  if (vip >= NLB_MAX_VIPS) return 0;
  port = bpf_ntohs(packet->ports[1]);
  asm volatile("" : "+r"(port)); /* to the verifier of Linux 6.1, swapped octets are any number */
  kind = config->classes[packet->table & 1][port & 0xffff];
  if (kind >= NLB_STEERING_MAX_CLASSES) return 0;
  slot = config->slots[packet->table & 1][vip][kind];
  asm volatile("" : "+r"(slot)); /* or the verifier meets the copy in the place, which it does not follow */
  if (slot >= NLB_MAX_SLOTS) return 0;
  place->bucket = nlb_steered_bucket(config, config->affinities[slot], packet) & (NLB_BUCKET_COUNT - 1);
  place->slot = slot;
  return 1;
}

static nlb_inline const struct nlb_steering_row* nlb_steered_row(__u32 ifindex, __u32 slot,
                                                                 __u32 generation) {
  struct nlb_steering_row_key key = {.ifindex = ifindex, .slot = slot};
  const struct nlb_steering_row* row = bpf_map_lookup_elem(&guard_rows, &key);

  return row && row->generation == generation ? row : 0;
}

static nlb_inline int nlb_has_bucket(const __u64* bits, __u32 bucket) {
  return bits[bucket / 64 & (NLB_BUCKET_COUNT / 64 - 1)] >> (bucket % 64) & 1;
}

static nlb_inline const struct nlb_steering_members* nlb_guard_members_of(const struct nlb_guard_frame* frame,
                                                                          __u16 cluster) {
  struct nlb_steering_members_key key = {.bridge = frame->port->bridge, .cluster = cluster};

  return bpf_map_lookup_elem(&guard_members, &key);
}

#endif
