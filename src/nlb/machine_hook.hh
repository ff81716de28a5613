// SPDX-License-Identifier: Apache-2.0
// What a manager of virtual machines calls when one of them starts or ends: libvirt's qemu hook and Proxmox'
// hookscript. Hands the machine over to nlb-vmswitch, or takes it back. Where that does not answer, the
// machine's file is written all the same: nlb-vmswitch reads it when it starts, and until then ports stay as
// they are.
#pragma once

#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb {

enum class HookStep {
  ignore,
  check,   // would it be accepted? Nothing is kept
  expect,  // the same, of one that will come from another host
  attach,  // it starts
  keep,    // it runs already: never an error, or its manager would end it
  detach,  // it has ended
};

// Of libvirt's words DOMAIN OPERATION SUBOPERATION, and of Proxmox' VMID PHASE.
[[nodiscard]] HookStep libvirt_step(const std::string& operation, const std::string& suboperation);
[[nodiscard]] HookStep proxmox_step(const std::string& phase);

struct HookCall {
  std::vector<std::string> words;  // as the manager gives them
  std::string socket;              // nlb-vmswitch's
  std::string root;                // before /etc/pve: "" but in tests
};

// An error is to refuse the start. `notes`: for standard error, whatever happens.
[[nodiscard]] Result<void> run_libvirt_hook(const HookCall& call, const std::string& xml,
                                            std::vector<std::string>& notes);
[[nodiscard]] Result<void> run_proxmox_hook(const HookCall& call, std::vector<std::string>& notes);

}  // namespace nlb
