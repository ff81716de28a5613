// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/machine_definition.hh"

#include <filesystem>

#include "control/config_text.hh"
#include "vmswitch/libvirt_domain.hh"
#include "vmswitch/proxmox_machine.hh"

namespace nlb::vmswitch {

std::optional<GuestMachine> defined_machine(const std::string& vm, const std::string& root) {
  namespace fs = std::filesystem;
  if (!is_vm_name(vm)) return std::nullopt;
  if (const auto xml = read_config_text(root + "/etc/libvirt/qemu/" + vm + ".xml")) {
    auto machine = read_libvirt_domain(*xml);
    if (machine && machine->name == vm) return std::move(*machine);
  }
  std::error_code error;
  for (fs::directory_iterator at(root + "/etc/pve/qemu-server", error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() != ".conf") continue;
    auto machine = read_proxmox_machine(at->path().stem().string(), root);
    if (machine && machine->name == vm) return std::move(*machine);
  }
  return std::nullopt;
}

}  // namespace nlb::vmswitch
