// SPDX-License-Identifier: Apache-2.0
// Whether the tables of a configuration can all be true: no MAC, address, host id, interface or bridge means
// two things. A set that the kernel keys by {VLAN, MAC} or {VLAN, address} could not even hold a
// contradiction, and which half of it won would be chance.
#pragma once

#include <vector>

#include "vmswitch/config_sections.hh"

namespace nlb::vmswitch {

void reject_contradictions(Declarations& declared);

// All MACs that belong to a cluster: as source, in payloads or as destination.
[[nodiscard]] std::vector<MacAddress> macs_of(const DeclaredCluster& cluster);

}  // namespace nlb::vmswitch
