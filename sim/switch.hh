// SPDX-License-Identifier: Apache-2.0
// The segment: a switch that learns, floods what it does not know, and guards its ports as nlb-vmswitch does
// with the setting "cluster": a member may send from its own adapter's MAC and its masked one, frames for the
// cluster MAC and the group go to members only, and nobody else gets a word in under a member's address.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>

#include "sim/acquaintance.hh"

namespace nlb::sim {

class Switch {
 public:
  explicit Switch(const IpAddress& vip) : macs_(cluster_macs(vip)), vip_(vip) {}

  void plug(Port port, HostId member, const MacAddress& mac);  // member 0 = a stranger
  void unplug(Port port);
  // Why the guard refuses a frame that enters by this port; nullopt = it passes, and its source is learnt.
  [[nodiscard]] std::optional<std::string> refusal(Port port, const MacAddress& source);
  // The ports that a frame leaves by.
  [[nodiscard]] HostSet ports_for(Port from, const MacAddress& destination) const;
  [[nodiscard]] const ClusterMacs& macs() const { return macs_; }
  // Has the table a place for this address? Never for the cluster MAC: it would lie on one port then.
  [[nodiscard]] bool knows(const MacAddress& mac) const { return table_.contains(mac); }

 private:
  struct Plug {
    HostId member = 0;
    MacAddress mac, masked;
    bool in = false;
  };
  ClusterMacs macs_;
  IpAddress vip_;
  std::array<Plug, kMaxHosts + 1> plugs_{};
  HostSet members_ = 0;
  std::map<MacAddress, Port> table_;
};

}  // namespace nlb::sim
