// SPDX-License-Identifier: Apache-2.0
// Programs below the pin directory, as program_ID_IDENTITY (program_identity.hh). A program is pinned before
// it is attached, and what is no longer attached is unpinned after it: whatever instant a daemon dies at,
// what is attached is pinned.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datapath/file_descriptor.hh"

namespace nlb {

struct ProgramPin {
  int program = -1;
  std::string identity;  // "" = it cannot be told, and nobody takes it for another's
};

[[nodiscard]] bool is_program_pin(std::string_view file_name);
[[nodiscard]] uint32_t program_id(int program);  // 0: not one
void pin_programs(const std::string& directory, std::span<const ProgramPin> pins);
[[nodiscard]] FileDescriptor pinned_program(const std::string& directory, const std::string& identity);
void unpin_programs_but(const std::string& directory, const std::vector<uint32_t>& in_use);

}  // namespace nlb
