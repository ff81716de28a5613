/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What follows from a reason: the frame goes on or not, it is counted, a violation is told with the evidence
 * (not more often than the daemon wants to hear of it), and may shut the port. */
#ifndef NLB_BPF_GUARD_REPORT_H
#define NLB_BPF_GUARD_REPORT_H

#include <linux/pkt_cls.h>

#include "guard_state.h"

static nlb_inline int nlb_guard_is_expected(__u32 reason) {
  switch (reason) {
#define NLB_GUARD_EXPECTED_CASE(name, expected, text) \
  case NLB_GUARD_REASON_##name:                       \
    return expected;
    NLB_GUARD_REASONS(NLB_GUARD_EXPECTED_CASE)
#undef NLB_GUARD_EXPECTED_CASE
  }
  return 0;
}

static nlb_inline void nlb_guard_count(const struct nlb_guard_counter_key* key, __u32 bytes) {
  struct nlb_guard_counter* counter = bpf_map_lookup_elem(&guard_counters, key);
  struct nlb_guard_counter zero = {};

  if (!counter) {
    bpf_map_update_elem(&guard_counters, key, &zero, BPF_NOEXIST);
    counter = bpf_map_lookup_elem(&guard_counters, key);
    if (!counter) return;
  }
  counter->packets += 1;
  counter->bytes += bytes;
}

static nlb_inline int nlb_guard_report_is_due(const struct nlb_guard_control* control,
                                              const struct nlb_guard_counter_key* key, __u64 now) {
  __u64* last = bpf_map_lookup_elem(&guard_reports, key);

  if (!last) {
    bpf_map_update_elem(&guard_reports, key, &now, BPF_NOEXIST);
    return 1;
  }
  if (now - *last < control->report_interval_ns) return 0;
  *last = now;
  return 1;
}

static nlb_inline void nlb_guard_fill_event(struct nlb_guard_event* event,
                                            const struct nlb_guard_frame* frame) {
  struct __sk_buff* skb = frame->skb;
  __u32 last = (skb->len < NLB_GUARD_HEAD_BYTES ? skb->len : NLB_GUARD_HEAD_BYTES) - 1;

  asm volatile("" : "+r"(last)); /* the verifier of Linux 6.1 does not follow the comparison, but the mask */
  last &= NLB_GUARD_HEAD_BYTES - 1;
  event->ifindex = frame->ifindex;
  event->frame_bytes = skb->len;
  event->vlan = frame->vlan;
  event->ether_type = frame->type;
  nlb_guard_copy_mac(event->mac, frame->fault_mac);
  event->has_address = frame->has_address;
  __builtin_memcpy(event->address, frame->fault_address, sizeof(event->address));
  event->zero = 0;
  __builtin_memset(event->head, 0, sizeof(event->head));
  event->head_bytes = 0;
  if (!bpf_skb_load_bytes(skb, 0, event->head, last + 1)) event->head_bytes = last + 1;
}

static nlb_inline void nlb_guard_report(const struct nlb_guard_frame* frame,
                                        const struct nlb_guard_counter_key* key, int dropped) {
  __u32 zero = 0;
  struct nlb_guard_control* control = bpf_map_lookup_elem(&guard_control, &zero);
  struct nlb_guard_event* event;
  __u64 now = bpf_ktime_get_boot_ns();

  if (!control || !nlb_guard_report_is_due(control, key, now)) return;
  event = bpf_ringbuf_reserve(&guard_events, sizeof(*event), 0);
  if (!event) {
    __sync_fetch_and_add(&control->events_lost, 1);
    return;
  }
  nlb_guard_fill_event(event, frame);
  event->time_ns = now;
  event->direction = key->direction;
  event->reason = key->reason;
  event->dropped = dropped;
  bpf_ringbuf_submit(event, 0);
}

static nlb_inline int nlb_guard_lets_through(__u32 reason) {
  return reason == NLB_GUARD_PASSED || reason == NLB_GUARD_REASON(steered) ||
         reason == NLB_GUARD_REASON(replicated) || reason == NLB_GUARD_REASON(flooded) ||
         reason == NLB_GUARD_REASON(directed);
}

/* Audit drops nothing; `report` lets through what is held against the guest. An announcement is the switch's
 * own: it goes nowhere. Nor does anything through a fence: others rely on that. */
static nlb_inline int nlb_guard_is_dropped(const struct nlb_guard_port* port, __u32 direction, __u32 reason) {
  if (!port || reason == NLB_GUARD_REASON(announced) || reason == NLB_GUARD_REASON(fenced)) return 1;
  if (nlb_guard_lets_through(reason) || (port->flags & NLB_GUARD_PORT_AUDIT)) return 0;
  return port->violation != NLB_GUARD_VIOLATION_REPORT || direction == NLB_GUARD_RECEIVE;
}

static nlb_inline int nlb_guard_shuts_down(const struct nlb_guard_port* port, __u32 direction, __u32 reason) {
  return port->violation == NLB_GUARD_VIOLATION_SHUTDOWN && !(port->flags & NLB_GUARD_PORT_AUDIT) &&
         direction == NLB_GUARD_TRANSMIT && reason != NLB_GUARD_REASON(port_shutdown);
}

/* No guest marks a frame as directed. */
static nlb_inline void nlb_guard_mark(struct __sk_buff* skb, __u32 reason) {
  __u32 mark = (skb->mark | NLB_GUARD_MARK) & ~NLB_GUARD_DIRECTED_MARK;

  skb->mark = reason == NLB_GUARD_REASON(directed) ? mark | NLB_GUARD_DIRECTED_MARK : mark;
}

static nlb_inline int nlb_guard_conclude(struct nlb_guard_frame* frame, __u32 direction, __u32 reason) {
  struct nlb_guard_counter_key key = {.ifindex = frame->ifindex, .direction = direction, .reason = reason};
  int dropped = nlb_guard_is_dropped(frame->port, direction, reason);

  nlb_guard_count(&key, frame->skb->len);
  if (!nlb_guard_is_expected(reason)) {
    nlb_guard_report(frame, &key, dropped);
    if (frame->port && nlb_guard_shuts_down(frame->port, direction, reason))
      nlb_guard_shut_down(frame->ifindex, reason);
  }
  if (dropped) return TC_ACT_SHOT;
  if (direction == NLB_GUARD_TRANSMIT) nlb_guard_mark(frame->skb, reason);
  return TC_ACT_UNSPEC;
}

/* False when nothing more is to be judged: `reason` says why. */
static nlb_inline int nlb_guard_open(struct nlb_guard_frame* frame, struct __sk_buff* skb, __u32* reason) {
  frame->skb = skb;
  frame->ifindex = skb->ifindex;
  frame->port = bpf_map_lookup_elem(&guard_ports, &frame->ifindex);
  *reason = NLB_GUARD_REASON(no_policy);
  if (!frame->port) return 0;
  frame->vlan = frame->port->vlan;
  if (frame->port->spoofing != NLB_GUARD_SPOOFING_OFF) frame->member = frame->port->cluster;
  *reason = NLB_GUARD_REASON(port_shutdown);
  return !nlb_guard_is_down(frame->port, frame->ifindex);
}

#endif
