// SPDX-License-Identifier: Apache-2.0
// What each guest is told about its port. Pure; policy_announcer.hh sends it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "vmswitch/policy.hh"
#include "wire/policy_announcement.hh"

namespace nlb::vmswitch {

using AnnouncedPolicies = std::map<uint32_t, wire::PolicyAnnouncement>;  // by interface index

// Every guest port of a guarded bridge that announces; uplinks lead to others. `host`: this machine's name.
[[nodiscard]] AnnouncedPolicies announced_policies(const SwitchConfig& config,
                                                   const std::vector<BridgePort>& present,
                                                   const std::string& host);

}  // namespace nlb::vmswitch
