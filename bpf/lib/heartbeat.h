/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Heartbeats, and whatever else has their EtherType or their place in IP: members' own pass, all others
 * within a budget (nlb/abi/heartbeat.h). The clock is read here for what is not a believed member's frame
 * only. XDP looks and changes nothing: tc sees the frame again whatever the driver does with metadata, and
 * must not take it for its own replay. */
#ifndef NLB_BPF_HEARTBEAT_H
#define NLB_BPF_HEARTBEAT_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <nlb/abi/heartbeat.h>

#include "bank.h"
#include "frame.h"
#include "load.h"

#define NLB_IPV4_FRAGMENT 0x3fff /* more fragments, or an offset */

/* With which hop limit a heartbeat in IPv4 comes; 0 = none is sent there. In modes multicast and igmp some
 * take the clients' way, to a virtual IP address: switches that snoop sort IP apart from everything else. In
 * mode igmp the others go to the group of the cluster MAC. */
static nlb_inline __u8 nlb_carrier_hop_limit(const struct nlb_bank* bank, __be32 to) {
  const __u8* mac = bank->cluster_mac;

  if (nlb_vip_number(bank, to)) return NLB_HEARTBEAT_HOP_LIMIT;
  return mac[0] == 1 && to == bpf_htonl(NLB_GROUP_PREFIX | (__u32)mac[4] << 8 | mac[5]) ? NLB_GROUP_HOP_LIMIT
                                                                                        : 0;
}

/* How many octets stand before a heartbeat that is carried in IP; 0 = it is none. */
static nlb_inline __u32 nlb_carrier_bytes(const struct nlb_frame* frame, const struct nlb_bank* bank) {
  struct iphdr* ip = frame->network;
  struct ipv6hdr* ip6 = frame->network;
  __u32 to[4];

  if (frame->type == ETH_P_IP) {
    if ((void*)(ip + 1) > frame->end || ip->protocol != NLB_HEARTBEAT_PROTOCOL) return 0;
    if (ip->version != 4 || ip->ihl != 5 || (ip->frag_off & bpf_htons(NLB_IPV4_FRAGMENT))) return 0;
    return ip->ttl && ip->ttl == nlb_carrier_hop_limit(bank, ip->daddr) ? sizeof(*ip) : 0;
  }
  if (frame->type != ETH_P_IPV6) return 0;
  if ((void*)(ip6 + 1) > frame->end || ip6->nexthdr != NLB_HEARTBEAT_PROTOCOL) return 0;
  if (ip6->version != 6 || ip6->hop_limit != NLB_HEARTBEAT_HOP_LIMIT) return 0;
  __builtin_memcpy(to, &ip6->daddr, sizeof(to));
  return nlb_vip6_number(bank, to) ? sizeof(*ip6) : 0;
}

/* 1: a heartbeat begins at network_offset, which is moved behind what carries it. */
static nlb_inline int nlb_find_heartbeat(struct nlb_frame* frame, const struct nlb_bank* bank) {
  __u32 bytes;

  if (frame->type == NLB_ETHERTYPE_HEARTBEAT) return 1;
  bytes = nlb_carrier_bytes(frame, bank);
  frame->network_offset += bytes;
  return bytes != 0;
}

/* 1: made by somebody who has a key of this cluster. */
static nlb_inline int nlb_read_tagged(const struct nlb_frame* frame, union nlb_tagged* tagged) {
  struct nlb_heartbeat_header* header = &tagged->frame.header;
  struct nlb_tag_id id;
  const struct nlb_tag_key* key;
  __u32 offset = frame->network_offset;
  __u32 total;
  __u64 tag;

  if (nlb_load(frame->ctx, offset, header, sizeof(*header))) return 0;
  __builtin_memcpy(&id, header->key_id, sizeof(id));
  key = bpf_map_lookup_elem(&nlb_tag_keys, &id);
  if (!key) return 0;
  total = (__u32)header->total_bytes[0] << 8 | header->total_bytes[1];
  if (total < sizeof(*header) + NLB_HEARTBEAT_SIGNATURE_BYTES || total > NLB_HEARTBEAT_MOST_BYTES) return 0;
  offset += total;
  if (nlb_load(frame->ctx, offset - NLB_HEARTBEAT_SIGNATURE_BYTES, tagged->frame.signature,
               NLB_HEARTBEAT_SIGNATURE_BYTES))
    return 0;
  if (nlb_load(frame->ctx, offset, &tag, sizeof(tag))) return 0;
  return nlb_little_endian(tag) == nlb_heartbeat_tag(key, tagged);
}

/* 1: there was something left, and (where the hook admits) it is less by one frame now. */
static nlb_inline int nlb_spend(__u32 index, __u64 interval, __u64 frames, int admits) {
  __u64* budget = bpf_map_lookup_elem(&nlb_budgets, &index);
  __u64 now = bpf_ktime_get_boot_ns(), whole, from;

  if (!budget) return 0;
  whole = *(volatile __u64*)budget;
  from = whole > now ? whole : now;
  if (from - now > (frames - 1) * interval) return 0;
  /* Two processors at once: the one that comes second is within the same flood. */
  return !admits || __sync_val_compare_and_swap(budget, whole, from + interval) == whole;
}

static nlb_inline int nlb_spend_one(__u32 index, int admits) {
  return nlb_spend(index, NLB_BUDGET_INTERVAL_NS, NLB_BUDGET_FRAMES, admits);
}

static nlb_inline __u32 nlb_decide_tagged(const struct nlb_heartbeat_header* header, int admits) {
  struct nlb_sender sender = {.incarnation = nlb_big_endian_8(header->incarnation), .id = header->sender};
  __u64* newest = bpf_map_lookup_elem(&nlb_senders, &sender);
  __u64 sequence = nlb_big_endian_8(header->sequence);

  if (header->sender > NLB_MAX_HOSTS) return NLB_VERDICT_heartbeat_excess;
  if (newest && sequence > *(volatile __u64*)newest) {
    if (admits) *(volatile __u64*)newest = sequence;
    return NLB_VERDICT_heartbeat;
  }
  if (newest)
    return nlb_spend_one(NLB_BUDGET_REPLAYED + header->sender, admits) ? NLB_VERDICT_heartbeat
                                                                       : NLB_VERDICT_heartbeat_replayed;
  return nlb_spend_one(NLB_BUDGET_NEWCOMER + header->sender, admits) ? NLB_VERDICT_heartbeat
                                                                     : NLB_VERDICT_heartbeat_excess;
}

static nlb_inline __u32 nlb_decide_heartbeat(const struct nlb_frame* frame, const struct nlb_bank* bank) {
  union nlb_tagged tagged = {};
  const __u8* source = frame->begin + ETH_ALEN;

  if (nlb_read_tagged(frame, &tagged)) return nlb_decide_tagged(&tagged.frame.header, frame->admits);
  if (!nlb_spend_one(nlb_stranger_budget(bank->seed[0], bank->seed[1], source), frame->admits))
    return NLB_VERDICT_heartbeat_excess;
  return nlb_spend(NLB_BUDGET_ALL_STRANGERS, NLB_ALL_STRANGERS_INTERVAL_NS, NLB_ALL_STRANGERS_FRAMES,
                   frame->admits)
             ? NLB_VERDICT_heartbeat
             : NLB_VERDICT_heartbeat_excess;
}

#endif
