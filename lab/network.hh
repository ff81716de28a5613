// SPDX-License-Identifier: Apache-2.0
// Named network namespaces, as iproute2 keeps them below /run/netns.
#pragma once

#include <string>
#include <vector>

#include "base/result.hh"
#include "lab/process.hh"

namespace nlb::lab {

// The calling thread's network namespace becomes the named one; its mounts stay as they are.
[[nodiscard]] Result<void> enter_network(const std::string& name);
[[nodiscard]] bool network_exists(const std::string& name);
// The lab's own: nlb-switch, nlb-gateway, nlb-hostN, nlb-clientN.
[[nodiscard]] std::vector<std::string> lab_networks();
[[nodiscard]] bool is_lab_network(const std::string& name);
// Everything that runs there, whoever started it.
[[nodiscard]] std::vector<ProcessId> processes_in(const std::vector<std::string>& networks);
void remove_network(const std::string& name);  // links and what is attached to them go with it
// Writes /proc/sys values as that namespace sees them: {"net/ipv4/ip_forward", "1"}.
[[nodiscard]] Result<void> write_sysctls(const std::string& network,
                                         const std::vector<std::pair<std::string, std::string>>& values);

}  // namespace nlb::lab
