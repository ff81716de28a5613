// SPDX-License-Identifier: Apache-2.0
#include "datapath/program_pins.hh"

#include <bpf/bpf.h>

#include <algorithm>
#include <filesystem>

namespace nlb {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPrefix = "program_";

std::string pin_name(uint32_t id, std::string_view identity) {
  return std::string(kPrefix) + std::to_string(id) + "_" + std::string(identity);
}

std::vector<fs::path> program_pins_in(const std::string& directory) {
  std::vector<fs::path> pins;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    if (is_program_pin(at->path().filename().string())) pins.push_back(at->path());
  return pins;
}

}  // namespace

bool is_program_pin(std::string_view file_name) {
  return file_name.starts_with(kPrefix);
}

uint32_t program_id(int program) {
  bpf_prog_info info{};
  uint32_t bytes = sizeof info;
  return bpf_obj_get_info_by_fd(program, &info, &bytes) == 0 ? info.id : 0;
}

void pin_programs(const std::string& directory, std::span<const ProgramPin> pins) {
  if (directory.empty()) return;
  for (const ProgramPin& pin : pins) {
    const fs::path place = fs::path(directory) / pin_name(program_id(pin.program), pin.identity);
    static_cast<void>(bpf_obj_pin(pin.program, place.c_str()));
  }
}

FileDescriptor pinned_program(const std::string& directory, const std::string& identity) {
  if (directory.empty() || identity.empty()) return {};
  for (const fs::path& path : program_pins_in(directory)) {
    if (!path.filename().string().ends_with("_" + identity)) continue;
    FileDescriptor program(bpf_obj_get(path.c_str()));
    if (program && pin_name(program_id(program.get()), identity) == path.filename()) return program;
  }
  return {};
}

void unpin_programs_but(const std::string& directory, const std::vector<uint32_t>& in_use) {
  std::error_code ignored;
  for (const fs::path& path : program_pins_in(directory)) {
    const std::string name = path.filename();
    const auto is = [&](uint32_t id) {
      const std::string former = std::string(kPrefix) + std::to_string(id);  // as versions before named it
      return name == former || name.starts_with(former + "_");
    };
    if (std::none_of(in_use.begin(), in_use.end(), is)) fs::remove(path, ignored);
  }
}

}  // namespace nlb
