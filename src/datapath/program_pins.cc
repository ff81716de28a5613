// SPDX-License-Identifier: Apache-2.0
#include "datapath/program_pins.hh"

#include <bpf/bpf.h>

#include <algorithm>
#include <filesystem>

namespace nlb {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPrefix = "program_";

std::string pin_name(uint32_t id) {
  return std::string(kPrefix) + std::to_string(id);
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

void pin_programs(const std::string& directory, std::span<const int> programs) {
  if (directory.empty()) return;
  for (const int program : programs)
    static_cast<void>(bpf_obj_pin(program, (fs::path(directory) / pin_name(program_id(program))).c_str()));
}

void unpin_programs_but(const std::string& directory, const std::vector<uint32_t>& attached) {
  std::error_code error;
  std::vector<fs::path> stale;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    const auto is = [&](uint32_t id) { return pin_name(id) == name; };
    if (is_program_pin(name) && std::none_of(attached.begin(), attached.end(), is))
      stale.push_back(at->path());
  }
  for (const fs::path& path : stale) fs::remove(path, error);
}

}  // namespace nlb
