// SPDX-License-Identifier: Apache-2.0
// The guard's maps as the daemon writes and reads them. The order in which a policy is written is that of
// <nlb/abi/guard.h>: there is no moment that is more open than both the old policy and the new one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hh"
#include "datapath/maps.hh"
#include "vmswitch/policy.hh"

namespace nlb::vmswitch {

struct ReasonCount {
  uint32_t ifindex = 0;
  uint16_t direction = 0, reason = 0;
  nlb_guard_counter sum{};
};

class GuardMaps {
 public:
  // `maps` must outlive this.
  [[nodiscard]] static Result<GuardMaps> over(const MapSet& maps);

  // Makes them hold this policy and nothing else; what an earlier port of the same index left is forgotten.
  [[nodiscard]] Result<void> write(const Policy& policy);
  // The policy as it is in the kernel.
  [[nodiscard]] bool holds(const Policy& policy) const;

  [[nodiscard]] std::vector<ReasonCount> counters() const;
  [[nodiscard]] uint64_t packets(uint32_t ifindex, nlb_guard_direction direction, uint16_t reason) const;
  // Whether a frame of the guest was let through, ever since the interface is there.
  [[nodiscard]] bool has_sent(uint32_t ifindex) const;
  [[nodiscard]] std::optional<nlb_guard_port> port(uint32_t ifindex) const;
  [[nodiscard]] std::optional<nlb_guard_state> state(uint32_t ifindex) const;
  [[nodiscard]] std::vector<MacAddress> learned(uint32_t ifindex) const;
  // What was counted, learned and reported of ports that are not among these.
  // Sources of a port under `on` that were not seen since `since` (CLOCK_MONOTONIC, ns); sticky ports keep
  // theirs.
  void age_learned(uint64_t since);
  void forget_others(const std::set<uint32_t>& here);
  // Opens a port again that a violation has shut down.
  [[nodiscard]] Result<void> recover(uint32_t ifindex, Nanos now);
  // Nothing gets in or out of that port: read back. A port without a policy passes nothing as it is.
  [[nodiscard]] Result<void> fence(uint32_t ifindex);
  [[nodiscard]] int events_fd() const { return events_; }
  [[nodiscard]] int announcements_fd() const { return announcements_; }
  [[nodiscard]] uint64_t events_lost() const { return control_[0].events_lost; }

 private:
  GuardMaps() = default;
  [[nodiscard]] Result<void> put(const Policy& policy);
  [[nodiscard]] Result<void> put_ports(const PortMap& wanted, const PortMap& present);
  void forget_port(uint32_t ifindex);
  template <typename Where>
  void forget_where(Where is_gone);

  MappedArray<nlb_guard_control> control_;
  int ports_ = -1, macs_ = -1, addresses_ = -1, states_ = -1, learned_ = -1, counters_ = -1, reports_ = -1,
      events_ = -1, announcements_ = -1, members_ = -1;
};

}  // namespace nlb::vmswitch
