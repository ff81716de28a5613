// SPDX-License-Identifier: Apache-2.0
// A machine of Proxmox VE: /etc/pve/qemu-server/VMID.conf. Interfaces have lasting names, and settings have
// no place in the file: they are in vmswitch.d or vmswitch.toml, under the machine's name.
#pragma once

#include <string>

#include "vmswitch/guest_machine.hh"

namespace nlb::vmswitch {

// `root` stands before /etc/pve. A machine without a name that can be one here goes by its number.
[[nodiscard]] Result<GuestMachine> read_proxmox_machine(const std::string& id, const std::string& root);

}  // namespace nlb::vmswitch
