// SPDX-License-Identifier: Apache-2.0
// A first vmswitch.toml from what libvirt or Proxmox VE know: bridges, machines, adapters and their MACs. Its
// policy is "audit": it drops nothing until somebody has seen what it would drop.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb::vmswitch {

struct Discovery {
  std::string text;  // of a vmswitch.toml
  std::size_t ports = 0;
  std::vector<std::string> notes;  // what could not be told
};

// Below `root` are /etc, /run and /sys: "" but in tests.
[[nodiscard]] Discovery discover(const std::string& root);
// A file that is there already is an error.
[[nodiscard]] Result<void> write_new_file(const std::string& path, const std::string& text);

}  // namespace nlb::vmswitch
