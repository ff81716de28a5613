// SPDX-License-Identifier: Apache-2.0
// Which network manager believes that it owns an interface: it may take the VIP off, or set the MAC back,
// whenever it configures anew.
#pragma once

#include <string>

namespace nlb {

struct ManagerFacts {
  bool networkd = false;
  std::string networkd_file;    // the .network file in force
  bool networkd_keeps = false;  // KeepConfiguration=yes: foreign addresses stay
  bool network_manager = false;
};
// `root`: where /run and /etc are found. With "/" a process in a network namespace of its own is nobody's.
[[nodiscard]] ManagerFacts read_managers(const std::string& root, int interface_index);

}  // namespace nlb
