// SPDX-License-Identifier: Apache-2.0
#include "guard/guard_model.hh"

#include "guard/guard_trial.hh"

namespace nlb {

bool is_expected(nlb_guard_reason reason) {
  static constexpr bool expected_of[] = {
#define NLB_EXPECTED(name, expected, text) (expected) != 0,
      NLB_GUARD_REASONS(NLB_EXPECTED)
#undef NLB_EXPECTED
  };
  return expected_of[reason];
}

bool lets_through(nlb_guard_reason reason) {
  return reason == NLB_GUARD_REASON_passed || reason == NLB_GUARD_REASON_steered ||
         reason == NLB_GUARD_REASON_replicated || reason == NLB_GUARD_REASON_flooded ||
         reason == NLB_GUARD_REASON_directed;
}

const char* guard_reason_name(uint32_t reason) {
  static constexpr const char* names[] = {
#define NLB_NAME(name, expected, text) #name,
      NLB_GUARD_REASONS(NLB_NAME)
#undef NLB_NAME
  };
  return reason < NLB_GUARD_REASON_COUNT ? names[reason] : "unknown";
}

const char* guard_reason_text(uint32_t reason) {
  static constexpr const char* texts[] = {
#define NLB_TEXT(name, expected, text) text,
      NLB_GUARD_REASONS(NLB_TEXT)
#undef NLB_TEXT
  };
  return reason < NLB_GUARD_REASON_COUNT ? texts[reason] : "a reason of a later version";
}

const nlb_guard_mac* GuardModel::owner_of(GuardSegment segment, const MacAddress& mac) const {
  for (const uint16_t vlan : {segment.vlan, uint16_t{NLB_GUARD_ANY_VLAN}}) {
    if (const auto found = macs_.find({{vlan, segment.bridge}, mac}); found != macs_.end())
      return &found->second;
  }
  return nullptr;
}

const nlb_guard_address* GuardModel::entry_of(GuardSegment segment, const IpAddress& address) const {
  const auto found = addresses_.find({segment, address});
  return found != addresses_.end() ? &found->second : nullptr;
}

GuardDecision GuardModel::decide(uint32_t ifindex, const TaggedFrame& frame, nlb_guard_direction direction,
                                 Nanos now) {
  GuardDecision decision;
  const auto port = ports_.find(ifindex);
  if (port == ports_.end()) {
    decision.reason = NLB_GUARD_REASON_no_policy;
    decision.dropped = true;
    return decision;
  }
  const nlb_guard_port& policy = port->second;
  Trial trial(*this, ifindex, policy, decision, now);
  decision.vlan = policy.vlan;
  if (trial.is_down()) {
    decision.reason = NLB_GUARD_REASON_port_shutdown;
    decision.dropped = true;
    return decision;
  }
  GuardFrame read = read_guard_frame(frame);
  decision.destination = read.destination;
  decision.mac = read.source;
  decision.type = read.type;
  if (read.vlan != 0) decision.vlan = read.vlan;
  if (direction == NLB_GUARD_RECEIVE && frame.directed)
    decision.destination = read.destination = trial.undirected(read, frame);
  const Refusal refused =
      direction == NLB_GUARD_TRANSMIT ? trial.transmit(read, frame) : trial.receive(read, frame);
  if (!refused) return decision;
  decision.reason = *refused;
  const bool reported_only =
      policy.violation == NLB_GUARD_VIOLATION_REPORT && direction == NLB_GUARD_TRANSMIT;
  const bool goes_on = (policy.flags & NLB_GUARD_PORT_AUDIT) != 0 || reported_only || lets_through(*refused);
  decision.dropped =
      !goes_on || *refused == NLB_GUARD_REASON_announced || *refused == NLB_GUARD_REASON_fenced;
  const bool shuts = policy.violation == NLB_GUARD_VIOLATION_SHUTDOWN && direction == NLB_GUARD_TRANSMIT;
  if (shuts && decision.dropped && !is_expected(*refused)) states_[ifindex].down = now;
  return decision;
}

GuardDecision GuardModel::transmit(uint32_t ifindex, const TaggedFrame& frame, Nanos now) {
  return decide(ifindex, frame, NLB_GUARD_TRANSMIT, now);
}

GuardDecision GuardModel::receive(uint32_t ifindex, const TaggedFrame& frame, Nanos now) {
  return decide(ifindex, frame, NLB_GUARD_RECEIVE, now);
}

}  // namespace nlb
