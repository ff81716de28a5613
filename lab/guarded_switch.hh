// SPDX-License-Identifier: Apache-2.0
// The lab's switch as a hypervisor guards it: nlb-vmswitch runs in the switch's namespace and every host,
// client and the gateway hang at a port of it. Host N is the virtual machine webN at interface hN, its client
// neighbours are machines too (their addresses are not checked: they may have thousands), the gateway is the
// way out.
#pragma once

#include <optional>
#include <string>

#include "base/result.hh"
#include "lab/plan.hh"
#include "lab/process.hh"

namespace nlb::lab {

[[nodiscard]] bool is_guarded(const Plan& plan);
[[nodiscard]] std::string switch_configuration(const Plan& plan);  // the text of vmswitch.toml
[[nodiscard]] std::string switch_directory();                      // configuration, socket, log
[[nodiscard]] std::string switch_socket();
[[nodiscard]] std::string switch_pin_directory();

// To be called before a port joins the bridge: then no port is ever open.
[[nodiscard]] Result<void> write_switch_files(const Plan& plan);
[[nodiscard]] Result<void> start_guard();
[[nodiscard]] std::optional<ProcessId> guard_process();

}  // namespace nlb::lab
