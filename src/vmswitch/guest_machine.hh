// SPDX-License-Identifier: Apache-2.0
// A virtual machine as its manager (libvirt, Proxmox VE) has it: adapters, interfaces, and the settings that
// its definition gives them. The third source of configuration, behind vmswitch.d and vmswitch.toml; as a
// file RUNTIME/guests.d/VM.toml it lasts from the machine's start to its end and outlives nlb-vmswitch. Made
// from what only the hypervisor's administrator can write, never from what a guest says.
#pragma once

#include <string>
#include <vector>

#include "base/result.hh"
#include "control/config_problem.hh"
#include "control/toml_document.hh"
#include "vmswitch/switch_config.hh"

namespace nlb::vmswitch {

struct GuestAdapter {
  std::string vm, adapter;
  TomlNode table;         // as a [[port]]; without interface before the machine has one
  std::string bridge;     // that its definition names, or ""
  std::string element;    // where its settings stand, for complaints
  std::string refused;    // why nothing may pass, or ""
  bool incoming = false;  // it runs on another host until it sends its first frame here

  [[nodiscard]] std::string interface() const;
  [[nodiscard]] bool has_settings() const;
};

struct GuestMachine {
  std::string name;
  std::vector<GuestAdapter> adapters;
  std::vector<std::string> problems;  // of the definition as a whole

  [[nodiscard]] std::string text() const;  // of RUNTIME/guests.d/VM.toml
};

// What text() wrote. A text that is none of these has a problem and no adapter.
[[nodiscard]] GuestMachine read_guest_machine(const ConfigText& file);

[[nodiscard]] std::string guests_directory(const std::string& runtime_directory);
[[nodiscard]] std::string guest_path(const std::string& runtime_directory, const std::string& vm);
// All files, those that were written first before the others. What cannot be read is not there.
[[nodiscard]] std::vector<ConfigText> read_guest_files(const std::string& runtime_directory);
// An empty text takes the file away.
[[nodiscard]] Result<void> keep_guest_file(const std::string& runtime_directory, const std::string& vm,
                                           const std::string& text);

}  // namespace nlb::vmswitch
