/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From the first octet to the EtherType: tags that the kernel took off, tags in the frame, 802.3 with SNAP. A
 * frame that hides ARP behind a SNAP header (RFC 1042, 802.1H) is read like any other: some hosts do read it.
 */
#ifndef NLB_BPF_GUARD_FRAME_H
#define NLB_BPF_GUARD_FRAME_H

#include "guard_common.h"

struct nlb_guard_ethernet {
  __u8 destination[6], source[6];
  __be16 type;
};

struct nlb_guard_snap {
  __u8 dsap, ssap, control;
  __u8 organization[3];
  __be16 type;
};

static nlb_inline int nlb_guard_is_tag(__u16 type) {
  return type == ETH_P_8021Q || type == ETH_P_8021AD;
}

/* Tag 0 says a priority and no VLAN: the port's holds. */
static nlb_inline void nlb_guard_take_tag(struct nlb_guard_frame* frame, __u32 tci) {
  if (tci & 0x0fff) frame->vlan = tci & 0x0fff;
}

/* Two VLANs, one in the other, are the network's behind the uplink, and are not read. A tag that says only a
 * priority hides nothing: Linux takes off as many of them as there are. */
static nlb_inline __u32 nlb_guard_read_second_tag(struct nlb_guard_frame* frame, __u32 outer) {
  __be16 tag[2];

  if (!nlb_guard_is_tag(frame->type)) return NLB_GUARD_PASSED;
  frame->nested = 1;
  if (bpf_skb_load_bytes(frame->skb, frame->network_offset, tag, sizeof(tag))) return NLB_GUARD_PASSED;
  if ((outer & 0x0fff) && (tag[0] & bpf_htons(0x0fff))) return NLB_GUARD_PASSED;
  nlb_guard_take_tag(frame, bpf_ntohs(tag[0]));
  frame->type = bpf_ntohs(tag[1]);
  frame->network_offset += sizeof(tag);
  frame->read_through = 1;
  return nlb_guard_is_tag(frame->type) ? NLB_GUARD_REASON(double_tagged) : NLB_GUARD_PASSED;
}

static nlb_inline __u32 nlb_guard_read_tags(struct nlb_guard_frame* frame) {
  struct __sk_buff* skb = frame->skb;
  __be16 tag[2];

  if (skb->vlan_present) {
    nlb_guard_take_tag(frame, skb->vlan_tci);
    return nlb_guard_read_second_tag(frame, skb->vlan_tci);
  }
  if (!nlb_guard_is_tag(frame->type)) return NLB_GUARD_PASSED;
  if (bpf_skb_load_bytes(skb, frame->network_offset, tag, sizeof(tag))) return NLB_GUARD_REASON(short_frame);
  nlb_guard_take_tag(frame, bpf_ntohs(tag[0]));
  frame->type = bpf_ntohs(tag[1]);
  frame->network_offset += sizeof(tag);
  return nlb_guard_read_second_tag(frame, bpf_ntohs(tag[0]));
}

static nlb_inline void nlb_guard_read_snap(struct nlb_guard_frame* frame) {
  struct nlb_guard_snap snap;
  __u8 last;

  if (frame->type >= ETH_P_802_3_MIN) return; /* no length */
  if (bpf_skb_load_bytes(frame->skb, frame->network_offset, &snap, sizeof(snap))) return;
  if (snap.dsap != 0xaa || snap.ssap != 0xaa || snap.control != 3) return;
  last = snap.organization[2];
  if (snap.organization[0] || snap.organization[1] || (last != 0 && last != 0xf8)) return;
  frame->type = bpf_ntohs(snap.type);
  frame->network_offset += sizeof(snap);
  frame->nested |= nlb_guard_is_tag(frame->type);
}

/* passed; short_frame, or more tags than are read. */
static nlb_inline __u32 nlb_guard_read_frame(struct nlb_guard_frame* frame) {
  struct nlb_guard_ethernet ethernet;
  __u32 reason;

  if (nlb_guard_load(frame->skb, 0, &ethernet, sizeof(ethernet))) return NLB_GUARD_REASON(short_frame);
  nlb_guard_copy_mac(frame->destination, ethernet.destination);
  nlb_guard_copy_mac(frame->source, ethernet.source);
  nlb_guard_copy_mac(frame->fault_mac, ethernet.source);
  frame->type = bpf_ntohs(ethernet.type);
  frame->network_offset = sizeof(ethernet);
  reason = nlb_guard_read_tags(frame);
  if (reason == NLB_GUARD_PASSED) nlb_guard_read_snap(frame);
  return reason;
}

#endif
