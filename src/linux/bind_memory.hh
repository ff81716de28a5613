// SPDX-License-Identifier: Apache-2.0
// What bind() found and must put back, kept for the unbind() of a later process: a small key=value file.
//
// A file can outlive what it speaks of. After a reboot, or for an adapter made anew (another interface
// index), it counts as empty. And a remembered value counts only while the value that we put in its place is
// still in force: otherwise what is in force now is somebody's own, and is itself what to go back to. Private
// to src/linux.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"
#include "linux/sysctl.hh"

namespace nlb {

struct BindMemory {
  MacAddress cluster_mac;  // what took the place of former_mac; zero = the MAC was not replaced
  MacAddress former_mac;
  std::vector<sysctl::Setting> former_sysctls;  // only those that bind() changed
  bool operator==(const BindMemory&) const = default;
  [[nodiscard]] bool empty() const { return *this == BindMemory{}; }
  [[nodiscard]] std::optional<std::string> former_sysctl(const std::string& path) const;
};

// An empty memory when there is no file, no directory is named, or the file speaks of another boot or
// adapter.
[[nodiscard]] Result<BindMemory> load_bind_memory(const std::string& directory, const std::string& interface);
// Atomic, mode 0600, makes the directory. An empty memory removes the file.
[[nodiscard]] Result<void> save_bind_memory(const std::string& directory, const std::string& interface,
                                            const BindMemory& memory);

}  // namespace nlb
