// SPDX-License-Identifier: Apache-2.0
// In what a host's word to all goes (docs/protocol/heartbeat.md, "Carriage"). In mode igmp it goes in IP to
// the group that the hosts have joined, which a switch that snoops takes to them alone. Hosts of another
// mode, and of an earlier version, speak and hear Ethernet only: while one of them is heard, everything is
// said in both, so that another mode is named on both sides, and a cluster is upgraded host by host without
// falling apart.
#pragma once

#include <array>

#include "core/config.hh"
#include "wire/heartbeat.hh"

namespace nlb::core {

class GroupCarriage {
 public:
  explicit GroupCarriage(ClusterMode mode) : mode_(mode) {}

  // Any whose signature is good. Who does not know its sender yet would never be heard by him otherwise.
  void on_heartbeat(const wire::Heartbeat& heartbeat, Nanos now);
  [[nodiscard]] bool in_ip() const { return mode_ == ClusterMode::igmp; }
  [[nodiscard]] bool in_ethernet(Nanos now) const { return !in_ip() || now < ethernet_until_; }
  // A frame that came in Ethernet, to all: is it there for those alone that hear nothing else?
  [[nodiscard]] bool comes_in_ip_too(const wire::Frame& frame) const;

 private:
  ClusterMode mode_;
  Nanos ethernet_until_ = 0;
  std::array<uint64_t, kMaxHosts + 1> in_ip_{};  // by sender: the incarnation that speaks so
};

}  // namespace nlb::core
