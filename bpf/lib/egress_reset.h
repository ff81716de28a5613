/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Late answers of the stack, held back or dropped.
 *
 * Delayed resets. A stack answers a segment without a socket by a reset that has no ACK flag (RFC 9293
 * section 3.10.7.1). After a heal, a resume or a false eviction that segment may belong to a connection of
 * another living host, which such a reset would kill. So the first one is held back; it leaves when the same
 * flow provokes it again between the wait (two heartbeat periods: by then the holder has been heard) and ten
 * seconds later, and the bucket is in no transition. Past its lease a host lets none out: whoever took its
 * buckets over owns those connections. Active resets and refused connections carry ACK and pass at once.
 *
 * Late SYN-ACKs. A request socket repeats its SYN-ACK by a timer, also when its bucket has moved meanwhile;
 * the client then has two answers to one SYN, of two hosts. The owner answers the repeated SYN, so the old
 * one keeps silent. Past its lease a host does not know whether it is the owner (a machine that stood still
 * for 30 s was seen to repeat SYN-ACKs for 14 s, until its daemon had caught up), so it is silent too. */
#ifndef NLB_BPF_EGRESS_RESET_H
#define NLB_BPF_EGRESS_RESET_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include "bucket.h"

/* Remembers the first provocation; true when this one comes in time after it. */
static nlb_inline int nlb_reset_waited(const struct nlb_bank* bank, const struct nlb_flow* flow) {
  struct nlb_reset_key key = {
      .client = flow->client, .vip = flow->vip, .client_port = flow->client_port, .vip_port = flow->vip_port};
  __u64 now = bpf_ktime_get_boot_ns();
  __u64* first = bpf_map_lookup_elem(&nlb_resets, &key);

  if (first && now - *first <= NLB_RESET_FORGET_NS) return now - *first >= bank->reset_wait_ns;
  bpf_map_update_elem(&nlb_resets, &key, &now, BPF_ANY);
  return 0;
}

static nlb_inline __u32 nlb_send_reset(const struct nlb_view* view, struct nlb_flow* flow) {
  int waited = nlb_reset_waited(view->bank, flow);

  if (waited && nlb_lease_valid(view->control) && !(nlb_bucket_state(view->bank, flow) & NLB_BUCKET_CHECKED))
    return NLB_VERDICT_reset_sent;
  return NLB_VERDICT_reset_held;
}

static nlb_inline __u32 nlb_send_answer(const struct nlb_view* view, struct nlb_flow* flow) {
  if (!(nlb_bucket_state(view->bank, flow) & NLB_BUCKET_OWNED)) return NLB_VERDICT_answer_late;
  return nlb_lease_valid(view->control) ? NLB_VERDICT_sent : NLB_VERDICT_answer_late;
}

static nlb_inline __u32 nlb_send_ipv4(const struct nlb_view* view, void* begin, void* end) {
  struct iphdr* ip = begin + ETH_HLEN;
  struct nlb_flow flow = {};
  struct tcphdr* tcp;

  if ((void*)(ip + 1) > end || ip->protocol != IPPROTO_TCP || ip->ihl < 5) return NLB_VERDICT_sent;
  tcp = (void*)ip + ip->ihl * 4;
  if ((void*)(tcp + 1) > end || !((tcp->rst && !tcp->ack) || (tcp->syn && tcp->ack))) return NLB_VERDICT_sent;
  flow.vip_number = nlb_vip_number(view->bank, ip->saddr);
  if (!flow.vip_number || (ip->frag_off & bpf_htons(0x1fff))) return NLB_VERDICT_sent;
  flow.client = ip->daddr;
  flow.vip = ip->saddr;
  flow.client_port = tcp->dest;
  flow.vip_port = tcp->source;
  flow.slot = nlb_port_slot(view, flow.vip_number, NLB_TABLE_TCP, flow.vip_port);
  return tcp->syn ? nlb_send_answer(view, &flow) : nlb_send_reset(view, &flow);
}

#endif
