// SPDX-License-Identifier: Apache-2.0
// What a manager has of a machine that need not run: so that its properties can be changed while it is
// stopped.
#pragma once

#include <optional>
#include <string>

#include "vmswitch/guest_machine.hh"

namespace nlb::vmswitch {

// libvirt's definition of the name, else Proxmox'. `root` stands before /etc: "" but in tests.
[[nodiscard]] std::optional<GuestMachine> defined_machine(const std::string& vm,
                                                          const std::string& root = "");

}  // namespace nlb::vmswitch
