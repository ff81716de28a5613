// SPDX-License-Identifier: Apache-2.0
// Which of the kernel programs on an interface are nlbd's. To ask the kernel for a program by its id takes
// CAP_SYS_ADMIN, which a daemon with a user of its own does not have. So every program is pinned before it is
// attached: what is pinned, and what this process has loaded, can be told from others' without it. Root may
// ask by id too, and then the name decides.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "datapath/file_descriptor.hh"

namespace nlb {

class OwnPrograms {
 public:
  OwnPrograms() = default;  // none but what root can ask for
  explicit OwnPrograms(const std::string& pin_directory);

  void add(int program);  // this process has loaded it
  [[nodiscard]] bool has(uint32_t id) const;
  // For the kernel's "replace this one"; empty when it is none of ours.
  [[nodiscard]] FileDescriptor open(uint32_t id) const;

 private:
  std::map<uint32_t, FileDescriptor> known_;  // by id
};

}  // namespace nlb
