// SPDX-License-Identifier: Apache-2.0
// /etc/opennlb/CLUSTER.toml and its key file, read and checked. Format: docs in man/nlbd.toml.5, shared by
// nlbd and nlb. Every complaint names file, line, what is wrong and what is allowed.
#pragma once

#include <string>
#include <vector>

#include "base/result.hh"
#include "core/config.hh"

namespace nlb {

struct ConfigProblem {
  std::string file;
  int line = 0;  // 0 = the whole file
  std::string message;
  [[nodiscard]] std::string text() const;  // FILE:LINE: message
};

// All problems found, not only the first. Reads the key file too (mode, owner, size, zero).
[[nodiscard]] tl::expected<Config, std::vector<ConfigProblem>> read_config(const std::string& path);
[[nodiscard]] Result<KeySet> read_keys(const std::string& path);
// A new key file (seed and one key, from the system's CSPRNG), mode 0600, never over an existing one.
[[nodiscard]] Result<void> write_new_keys(const std::string& path);
// Adds a fresh key on top (it signs from then on); older ones are still accepted; writes down a derived seed first.
[[nodiscard]] Result<void> rotate_keys(const std::string& path);

}  // namespace nlb
