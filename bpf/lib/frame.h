/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A frame as both hooks see it, and its Ethernet header. */
#ifndef NLB_BPF_FRAME_H
#define NLB_BPF_FRAME_H

#include <linux/if_ether.h>

#include "load.h"

struct nlb_frame {
  struct nlb_context* ctx;
  void *begin, *end; /* what can be read directly */
  void* network;     /* header behind Ethernet and tags */
  __u32 bytes;       /* whole length */
  __u32 network_offset;
  __u16 type;  /* EtherType, host order */
  __u8 tagged; /* a tag with a VLAN number was found */
  __u8 admits; /* the last hook: budgets are spent, numbers remembered */
  __u8 visits; /* accepted in an owned bucket of a rule with extended affinity: visit.h */
  __u8 visited_slot;
  __u64 visitor; /* hash of its client */
};

struct nlb_vlan_tag {
  __be16 tci;
  __be16 type;
};

static nlb_inline int nlb_is_vlan_type(__u16 type) {
  return type == ETH_P_8021Q || type == ETH_P_8021AD;
}

/* One tag. Tag 0 (priority only) is no VLAN: the frame belongs to the untagged device and is read on. */
static nlb_inline int nlb_parse_tag(struct nlb_frame* frame) {
  struct nlb_vlan_tag* tag = frame->network;

  if (frame->tagged || !nlb_is_vlan_type(frame->type)) return 1;
  if ((void*)(tag + 1) > frame->end) return 0;
  frame->tagged = (bpf_ntohs(tag->tci) & 0x0fff) != 0;
  frame->type = bpf_ntohs(tag->type);
  frame->network = tag + 1;
  frame->network_offset += sizeof(*tag);
  return 1;
}

/* 0 when the frame ends within its Ethernet header. */
static nlb_inline int nlb_parse_ethernet(struct nlb_frame* frame) {
  struct ethhdr* ethernet = frame->begin;

  if ((void*)(ethernet + 1) > frame->end) return 0;
  frame->type = bpf_ntohs(ethernet->h_proto);
  frame->network = ethernet + 1;
  frame->network_offset = sizeof(*ethernet);
  return nlb_parse_tag(frame) && nlb_parse_tag(frame);
}

#endif
