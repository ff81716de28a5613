// SPDX-License-Identifier: Apache-2.0
// One frame before the model: each question about it is a function that answers with a reason to refuse, or
// nothing.
#pragma once

#include "guard/guard_model.hh"

namespace nlb {

using Refusal = std::optional<nlb_guard_reason>;

class GuardModel::Trial {
 public:
  Trial(GuardModel& model, uint32_t ifindex, const nlb_guard_port& port, GuardDecision& decision, Nanos now);

  [[nodiscard]] Refusal transmit(const GuardFrame& frame, const TaggedFrame& whole);
  [[nodiscard]] Refusal receive(const GuardFrame& frame, const TaggedFrame& whole);
  [[nodiscard]] bool is_down() const;
  // What the destination was before the frame was sent to one member alone.
  [[nodiscard]] MacAddress undirected(const GuardFrame& frame, const TaggedFrame& whole) const;

 private:
  [[nodiscard]] Refusal source();
  [[nodiscard]] Refusal guest_source();
  [[nodiscard]] Refusal uplink_source() const;
  [[nodiscard]] Refusal learn();
  [[nodiscard]] Refusal destination(const TaggedFrame& whole);
  [[nodiscard]] Refusal rate();
  [[nodiscard]] bool fits(Nanos& until, uint32_t per_second) const;
  // guard_steering.cc
  [[nodiscard]] nlb_guard_reason steer(const TaggedFrame& whole) const;
  [[nodiscard]] Refusal direct(const TaggedFrame& whole);
  [[nodiscard]] Refusal announcement(const TaggedFrame& whole);

  [[nodiscard]] Refusal left_to_do(const TaggedFrame& whole) const;

  [[nodiscard]] Refusal says(const saying::Broken& what);
  [[nodiscard]] Refusal says(const saying::UsesAddress& what);
  [[nodiscard]] Refusal says(const saying::Binds& what);
  [[nodiscard]] Refusal says(const saying::Mentions& what);
  [[nodiscard]] Refusal says(const saying::Rarp& what);
  [[nodiscard]] Refusal says(const saying::AdvertisesRouter& what) const;
  [[nodiscard]] Refusal says(const saying::Redirects& what) const;
  [[nodiscard]] Refusal says(const saying::ServesDhcp& what) const;
  [[nodiscard]] Refusal says(const saying::HidesPort& what) const;
  [[nodiscard]] Refusal says(const saying::AdvertisesVirtualRouter& what) const;

  [[nodiscard]] Refusal undeclared_mac(const MacAddress& mac, nlb_guard_reason otherwise) const;
  [[nodiscard]] Refusal declared_mac(const nlb_guard_mac& owner) const;
  [[nodiscard]] Refusal address(const IpAddress& address, Speech speech) const;
  [[nodiscard]] bool goes_with(const IpAddress& address, const MacAddress& mac) const;
  [[nodiscard]] bool contradicts(const nlb_guard_address& entry, const MacAddress& mac) const;
  [[nodiscard]] bool is_own_link_local(const IpAddress& address) const;

  [[nodiscard]] bool is_guest() const { return port_.role == NLB_GUARD_ROLE_GUEST; }
  [[nodiscard]] bool may_spoof() const { return port_.spoofing == NLB_GUARD_SPOOFING_ON; }
  [[nodiscard]] bool has(uint32_t flag) const { return (port_.flags & flag) != 0; }
  [[nodiscard]] bool is_fenced() const { return (port_.flags & NLB_GUARD_PORT_FENCED) != 0; }
  [[nodiscard]] bool is_own(const MacAddress& mac) const { return mac == own_ && !mac.is_zero(); }
  [[nodiscard]] bool is_member_of(uint16_t cluster) const;
  [[nodiscard]] bool is_heartbeat() const;
  [[nodiscard]] GuardSegment segment() const { return {decision_.vlan, port_.bridge}; }
  [[nodiscard]] const nlb_guard_mac* owner(const MacAddress& mac) const {
    return model_.owner_of(segment(), mac);
  }
  Refusal blame(nlb_guard_reason reason, const MacAddress& mac);
  Refusal blame(nlb_guard_reason reason, const MacAddress& mac, const IpAddress& address);

  GuardModel& model_;
  const uint32_t ifindex_;
  const nlb_guard_port& port_;
  GuardDecision& decision_;
  const Nanos now_;
  const MacAddress own_;
  const GuardFrame* frame_ = nullptr;
};

}  // namespace nlb
