// SPDX-License-Identifier: Apache-2.0
// The lab's machines as a hypervisor switches them: power off, shutdown, boot, and the reboot that a guest
// does by itself, during which its port stays.
#pragma once

#include <string>
#include <vector>

#include "base/result.hh"
#include "lab/plan.hh"

namespace nlb::lab {

// First the wire, so that no reset or farewell of the dying processes reaches anyone. The port stays, down.
[[nodiscard]] Result<void> cut_power(const Node& node);
// The guest ends its services (SIGTERM), then it is off and its port is gone.
[[nodiscard]] Result<void> shut_down(const Node& node);
// Starts what does not run; a machine that is off boots with an empty kernel and its old disk.
[[nodiscard]] Result<void> start_node(const Plan& plan, const Node& node);
// An empty kernel and the old disk, while the port never leaves the switch.
[[nodiscard]] Result<void> reboot(const Plan& plan, const Node& node);

void kill_all_in(const std::vector<std::string>& networks);

}  // namespace nlb::lab
