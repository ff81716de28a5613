// SPDX-License-Identifier: Apache-2.0
// The decision of the port guard once more, in plain C++ over the same policy: no maps, no kernel, no clock.
// Tests compare the kernel programs with it frame by frame. It reads a frame as a list of sayings
// (guard_frame.hh) and asks of each whether the port may say so; the kernel judges while it reads.
#pragma once

#include <nlb/abi/guard.h>
#include <nlb/abi/steering.h>

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "guard/guard_frame.hh"
#include "wire/steering_announcement.hh"

namespace nlb {

struct GuardDecision {
  nlb_guard_reason reason = NLB_GUARD_REASON_passed;
  bool dropped = false;
  uint16_t vlan = 0, type = 0;            // as far as the frame was read
  MacAddress mac = {};                    // at fault, else the Ethernet source
  std::optional<IpAddress> address = {};  // at fault
  MacAddress destination = {};            // with which the frame goes on
};

// Where a MAC or an address is somebody's.
struct GuardSegment {
  uint16_t vlan = 0, bridge = 0;
  auto operator<=>(const GuardSegment&) const = default;
};

class GuardModel {
 public:
  void set_port(uint32_t ifindex, const nlb_guard_port& policy) { ports_[ifindex] = policy; }
  void remove_port(uint32_t ifindex) { ports_.erase(ifindex); }
  void set_mac(GuardSegment segment, const MacAddress& mac, const nlb_guard_mac& owner) {
    macs_[{segment, mac}] = owner;
  }
  void set_address(GuardSegment segment, const IpAddress& address, const nlb_guard_address& entry) {
    addresses_[{segment, address}] = entry;
  }
  // What nlb-vmswitch has made of a port's announcement; `earlier`: of one at an earlier port.
  using SteeringRows = decltype(wire::SteeringContent::rows);
  void set_steering(uint32_t ifindex, uint32_t generation, wire::SteeringContent content,
                    SteeringRows earlier) {
    steering_[ifindex] = {generation, std::move(content)};
    earlier_[ifindex] = std::move(earlier);
  }
  // All ports that get frames to the cluster's MAC.
  void set_members(uint16_t bridge, uint16_t cluster, const MacAddress& mac, std::vector<uint32_t> ports) {
    members_[{bridge, cluster}] = {mac, std::move(ports)};
  }
  // What a port has used up so far, and what it has announced last.
  struct State {
    Nanos storm_until = 0, heartbeats_until = 0, announcements_until = 0, down = 0;
    std::optional<uint32_t> announced;
    Nanos announced_at = 0;
    std::set<MacAddress> learned;
  };
  State& state(uint32_t ifindex) { return states_[ifindex]; }
  void forget_states() { states_.clear(); }

  [[nodiscard]] GuardDecision transmit(uint32_t ifindex, const TaggedFrame& frame, Nanos now);
  [[nodiscard]] GuardDecision receive(uint32_t ifindex, const TaggedFrame& frame, Nanos now);

 private:
  class Trial;  // of one frame

  [[nodiscard]] const nlb_guard_mac* owner_of(GuardSegment segment, const MacAddress& mac) const;
  [[nodiscard]] const nlb_guard_address* entry_of(GuardSegment segment, const IpAddress& address) const;
  [[nodiscard]] GuardDecision decide(uint32_t ifindex, const TaggedFrame& frame,
                                     nlb_guard_direction direction, Nanos now);

  [[nodiscard]] const wire::SteeringContent* said_by(uint32_t ifindex, Nanos now);

  std::map<uint32_t, nlb_guard_port> ports_;
  std::map<std::pair<GuardSegment, MacAddress>, nlb_guard_mac> macs_;
  std::map<std::pair<GuardSegment, IpAddress>, nlb_guard_address> addresses_;
  std::map<uint32_t, State> states_;
  std::map<uint32_t, std::pair<uint32_t, wire::SteeringContent>> steering_;
  std::map<uint32_t, SteeringRows> earlier_;
  struct Members {
    MacAddress mac;
    std::vector<uint32_t> ports;
  };
  std::map<std::pair<uint16_t, uint16_t>, Members> members_;  // by bridge and cluster
};

// True for what counts in healthy operation, by the list.
[[nodiscard]] bool is_expected(nlb_guard_reason reason);
[[nodiscard]] bool lets_through(nlb_guard_reason reason);
[[nodiscard]] const char* guard_reason_name(uint32_t reason);
[[nodiscard]] const char* guard_reason_text(uint32_t reason);

}  // namespace nlb
