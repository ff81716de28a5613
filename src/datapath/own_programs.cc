// SPDX-License-Identifier: Apache-2.0
#include "datapath/own_programs.hh"

#include <bpf/bpf.h>
#include <fcntl.h>

#include <cerrno>
#include <filesystem>

#include "datapath/program_pins.hh"
#include "datapath/tc_filter.hh"

namespace nlb {
namespace {

namespace fs = std::filesystem;

bool is_nlbd_name(const std::string& name) {
  return name.starts_with("nlb_") && !name.starts_with("nlb_guard_");  // that one is nlb-vmswitch's
}

}  // namespace

OwnPrograms::OwnPrograms(const std::string& pin_directory) {
  std::error_code error;
  for (fs::directory_iterator at(pin_directory, error), end; !error && at != end; at.increment(error)) {
    if (!is_program_pin(at->path().filename().string())) continue;
    const FileDescriptor program(bpf_obj_get(at->path().c_str()));
    if (program) add(program.get());
  }
}

void OwnPrograms::add(int program) {
  if (const uint32_t id = program_id(program); id != 0)
    known_.try_emplace(id, FileDescriptor(fcntl(program, F_DUPFD_CLOEXEC, 3)));
}

bool OwnPrograms::has(uint32_t id) const {
  return id != 0 && (known_.contains(id) || is_nlbd_name(program_name(id)));
}

FileDescriptor OwnPrograms::open(uint32_t id) const {
  const auto known = known_.find(id);
  return FileDescriptor(known != known_.end() ? fcntl(known->second.get(), F_DUPFD_CLOEXEC, 3)
                                              : bpf_prog_get_fd_by_id(id));
}

}  // namespace nlb
