/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* To whom a port sends: nothing that steers switches, no heartbeat into a cluster of others, no announcement
 * in the hypervisor's name, and not more broadcast than it may. */
#ifndef NLB_BPF_GUARD_LINK_H
#define NLB_BPF_GUARD_LINK_H

#include "guard_announcement.h"
#include "guard_mac.h"
#include "guard_state.h"

#define NLB_GUARD_ETHERTYPE_LLDP 0x88cc

/* 01-80-c2-00-00-0x: IEEE 802.1D table 7-10 (spanning tree, LACP, pause, 802.1X; bridges do not forward
 * them). 01-00-0c-cc-cc-cc and -cd: Cisco's VTP, DTP, CDP and spanning tree per VLAN (bridges do). */
static nlb_inline int nlb_guard_is_link_control(const __u8* mac) {
  if (mac[0] != 1) return 0;
  if (mac[1] == 0x80) return mac[2] == 0xc2 && !mac[3] && !mac[4] && (mac[5] & 0xf0) == 0;
  return !mac[1] && mac[2] == 0x0c && mac[3] == 0xcc && mac[4] == 0xcc && (mac[5] & 0xfe) == 0xcc;
}

static nlb_inline __u32 nlb_guard_judge_heartbeat(const struct nlb_guard_frame* frame) {
  const struct nlb_guard_mac* owner = nlb_guard_find_mac(frame, frame->destination);
  struct nlb_guard_state* state;

  if (!nlb_guard_is_shared(owner)) return NLB_GUARD_PASSED;
  if (!frame->member || owner->cluster != frame->member) return NLB_GUARD_REASON(foreign_heartbeat);
  state = nlb_guard_state_of(frame->ifindex);
  if (state) *(volatile __u64*)&state->heartbeat_heard_ns = bpf_ktime_get_coarse_ns();
  return NLB_GUARD_PASSED;
}

static nlb_inline __u32 nlb_guard_judge_destination(const struct nlb_guard_frame* frame) {
  if (frame->type == NLB_ETHERTYPE_POLICY) return nlb_guard_judge_announcement(frame);
  if (frame->port->role == NLB_GUARD_ROLE_UPLINK) return NLB_GUARD_PASSED;
  if (frame->type != NLB_GUARD_ETHERTYPE_LLDP && nlb_guard_is_link_control(frame->destination))
    return NLB_GUARD_REASON(link_control);
  return nlb_guard_is_heartbeat(frame) ? nlb_guard_judge_heartbeat(frame) : NLB_GUARD_PASSED;
}

/* Heartbeats of a member have a share of their own, so that a storm in the guest does not cost it its
 * membership; and a limit, so that it is no way round the other one. */
static nlb_inline int nlb_guard_is_own_heartbeat(const struct nlb_guard_frame* frame) {
  const struct nlb_guard_mac* owner;

  if (!frame->member || !nlb_guard_is_heartbeat(frame)) return 0;
  owner = nlb_guard_find_mac(frame, frame->destination);
  return nlb_guard_is_shared(owner) && owner->cluster == frame->member;
}

static nlb_inline __u32 nlb_guard_judge_rate(const struct nlb_guard_frame* frame) {
  __u32 limit = frame->port->storm_limit_pps;
  struct nlb_guard_state* state;

  if (!limit || !(frame->destination[0] & 1)) return NLB_GUARD_PASSED;
  state = nlb_guard_state_of(frame->ifindex);
  if (!state) return NLB_GUARD_REASON(storm);
  if (nlb_guard_is_own_heartbeat(frame))
    return nlb_guard_within_rate(&state->heartbeat_ns, NLB_GUARD_HEARTBEAT_PPS)
               ? NLB_GUARD_PASSED
               : NLB_GUARD_REASON(heartbeat_storm);
  return nlb_guard_within_rate(&state->storm_ns, limit) ? NLB_GUARD_PASSED : NLB_GUARD_REASON(storm);
}

#endif
