// SPDX-License-Identifier: Apache-2.0
// The second guard, by nftables (libnftables): holds when a BPF program was detached by hand.
//  - ingress (inet prerouting): a packet for a VIP that came in on the cluster interface without the filter's
//    mark, or on any other interface (never lo or a local bridge), is dropped; the mark bit is cleared.
//  - tracking (inet prerouting, behind connection tracking; only while connections are translated): of what
//  the
//    filter marked with NLB_MARK_ASK, segments of translated connections go on, the rest is dropped. The rule
//    makes the kernel track connections, which translation does already.
//  - egress (netdev egress of the cluster interface; it runs before tc): the cluster MAC as Ethernet source
//  is
//    rewritten to the MAC that the strategy sends from (`replace`: masked, else the adapter's own); ARP that
//    binds a VIP to another MAC than the cluster MAC is rewritten (requests: to the dedicated address and
//    that MAC) or dropped (replies, RARP); under `replace`, ARP that binds another address to the cluster MAC
//    is rewritten to the masked MAC. The sender of a dropped frame gets ENOBUFS.
//  - other interfaces do not answer ARP for a VIP. (Linux answers neighbour solicitations only on the
//  interface
//    that has the address.)
//  - IPv6 in the same chains: a solicitation from a VIP with another MAC is asked for the dedicated address,
//    an advertisement of a VIP at another MAC is dropped. nftables cannot mend an option and its checksum, so
//    under `replace` only tc binds dedicated IPv6 addresses to the masked MAC.
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
  IpAddress dedicated_ip;   // IPv4; 0.0.0.0 = none
  IpAddress dedicated_ip6;  // :: = none
  bool replace = false;
  bool asks_tracking =
      false;  // there are translated connections: what the filter left to connection tracking is judged
};

// One table per cluster interface and family, "nlb_<interface>". Replaces atomically, and reads back.
[[nodiscard]] Result<void> install_guard(const GuardPlan& plan);
// Read back: all tables, hooks, VIPs and rules are there in their order, and none besides.
[[nodiscard]] Result<bool> guard_in_force(const GuardPlan& plan);
[[nodiscard]] Result<void> remove_guard(const std::string& interface);

}  // namespace nlb
