// SPDX-License-Identifier: Apache-2.0
// Static entries for routers and switches. The address resolution of a cluster in mode multicast or igmp maps
// a unicast address to a group MAC, which RFC 1812 (3.3.2) forbids a router to believe; and a switch floods a
// group that it does not know. Texts in each vendor's own syntax, to be read before they are pasted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config.hh"

namespace nlb {

struct SwitchSite {
  std::string vlan;                // "" = VLAN stands in
  std::vector<std::string> ports;  // where the hosts are; empty = PORT1, PORT2
  std::string router_interface;    // linux: towards the cluster; "" = INTERFACE
};

// Comments are lines of the vendor's own comment sign, so that the whole text can be pasted.
[[nodiscard]] std::vector<std::string> switch_entries(std::string_view vendor, const Config& config,
                                                      const SwitchSite& site);

inline constexpr std::string_view kVendors[] = {"cisco", "arista", "juniper", "h3c", "linux"};

}  // namespace nlb
