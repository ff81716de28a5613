// SPDX-License-Identifier: Apache-2.0
// The second guard, by nftables (libnftables): holds when a BPF program was detached by hand.
//  - ingress (inet prerouting): a packet for a VIP that came in on the cluster interface, or on any other
//  interface
//    (never lo or a local bridge), without the filter's mark is dropped; the mark bit is cleared afterwards.
//  - egress (netdev egress of the cluster interface; it runs before tc): the cluster MAC as Ethernet source
//  is
//    rewritten to the masked MAC; ARP that binds a VIP to another MAC than the cluster MAC is rewritten
//    (requests: to the dedicated address and the adapter's or masked MAC) or dropped (everything else).
//  - other interfaces do not answer ARP for a VIP.
#pragma once

#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb {

struct GuardPlan {
  std::string interface;
  std::vector<IpAddress> vips;
  MacAddress cluster_mac, masked_mac, own_mac;
  IpAddress dedicated_ip;  // 0.0.0.0 = none
  bool replace = false;
};

// One table per cluster interface, its name derived from the interface: "nlb_<interface>". Replaces
// atomically.
[[nodiscard]] Result<void> install_guard(const GuardPlan& plan);
[[nodiscard]] Result<bool> guard_in_force(const GuardPlan& plan);  // read back
[[nodiscard]] Result<void> remove_guard(const std::string& interface);

}  // namespace nlb
