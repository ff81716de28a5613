// SPDX-License-Identifier: Apache-2.0
// The two ends of a guest's agent. In the guest, `nlb lab agent` runs commands for `nlb lab exec`; at the
// hypervisor, `nlb lab relay` offers the guest's control socket at the same path as a namespace's nlbd has
// it, so that whatever asks a host of the lab needs not know what kind of host it is.
#pragma once

#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb::lab {

// Ends only by a signal. `network`: the namespace of the adapter at which it listens; commands run outside
// it.
int serve_agent(const std::string& network);
int serve_relay(unsigned host, const std::string& socket_path);

// By the greeting of the guest's agent, for which it waits; the calling thread enters the switch's namespace.
[[nodiscard]] Result<std::string> greeted_boot_id(unsigned host, int timeout_ms);
[[nodiscard]] uint16_t agent_forward_port(unsigned host);  // at 127.0.0.1 in the switch's namespace

// Runs a command in the guest with this process's stdin, stdout and stderr; its exit code.
[[nodiscard]] Result<int> exec_in_machine(unsigned host, const std::vector<std::string>& command);

}  // namespace nlb::lab
