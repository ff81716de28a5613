// SPDX-License-Identifier: Apache-2.0
// A host of the lab that is a virtual machine: one QEMU in the switch's namespace, whose tap hN is a port of
// the bridge as a namespace's veth is. Its kernel, its nlbd and its eth0 are its own; its disk is the state
// directory, its configuration and its logs lie in the runtime directory (both shared by virtio-9p). What
// happens in it is asked of its agent (agent.hh), which no fault of the lab's links reaches.
#pragma once

#include <string>
#include <vector>

#include "base/result.hh"
#include "lab/plan.hh"
#include "lab/process.hh"

namespace nlb::lab {

[[nodiscard]] bool is_machine(unsigned host);  // as its files say, which write_machine_files makes
[[nodiscard]] Result<void> write_machine_files(const Plan& plan, unsigned host);

[[nodiscard]] Result<void> plug_in_tap(const Node& node);  // before the machine starts
[[nodiscard]] Result<void> power_on(const Node& node);     // returns before the guest has booted
inline constexpr int kBootSeconds = 120;                   // several boot at once under TCG
[[nodiscard]] Result<void> wait_booted(unsigned host, int timeout_s);
// What the guest's own init does: "service", "nlbd", "stop", "signal KILL", … (lab/guest/host.sh).
[[nodiscard]] Result<std::string> in_machine(unsigned host, const std::vector<std::string>& words);
[[nodiscard]] Result<Finished> run_in_machine(unsigned host, const std::vector<std::string>& command);

// QEMU dies at once.
void power_off(unsigned host);
// The guest ends its services and powers off; then QEMU has ended.
[[nodiscard]] Result<void> press_power_button(unsigned host);
// Inside the guest; QEMU and the tap stay.
[[nodiscard]] Result<void> reboot_machine(unsigned host, int timeout_s);
// Its processors stand still; what arrives waits in the tap's queue.
[[nodiscard]] Result<void> freeze_machine(unsigned host, bool frozen);
// What the guest sees of its link; the port at the switch is the switch's.
[[nodiscard]] Result<void> set_machine_carrier(unsigned host, bool up);

enum class MachineProcess : uint8_t {
  unknown,
  dead,
  running,
  paused
};  // unknown: nobody answers in the guest
struct MachineReport {
  bool on = false, frozen = false;
  MachineProcess nlbd = MachineProcess::unknown, service = MachineProcess::unknown;
};
[[nodiscard]] MachineReport machine_report(unsigned host);
[[nodiscard]] std::string console_tail(unsigned host);

}  // namespace nlb::lab
