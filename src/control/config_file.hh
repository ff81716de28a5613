// SPDX-License-Identifier: Apache-2.0
// /etc/opennlb/CLUSTER.toml and its key file, read and checked. Format: docs in man/nlbd.toml.5, shared by
// nlbd and nlb. Every complaint names file, line, what is wrong and what is allowed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hh"
#include "control/config_problem.hh"
#include "control/key_file.hh"
#include "core/config.hh"

namespace nlb {

// What the text alone says; keys are still empty. Touches no file: `path` is for messages and for resolving a
// relative key_file.
struct ParsedConfig {
  Config config;
  int key_file_line = 0;  // for complaints about the key file as a whole
  int vips_line = 0;      // for complaints about VIPs on this host's interface
};
[[nodiscard]] tl::expected<ParsedConfig, std::vector<ConfigProblem>> parse_config(std::string_view text,
                                                                                  const std::string& path);

// All problems found, not only the first. Reads the key file too (mode, owner, size, zero).
[[nodiscard]] tl::expected<ParsedConfig, std::vector<ConfigProblem>> read_config_file(
    const std::string& path, SecretOwner key_of = SecretOwner::root_or_reader);
[[nodiscard]] tl::expected<Config, std::vector<ConfigProblem>> read_config(const std::string& path);
// The rules in one order on all hosts, whatever the order in their files: slots are numbered by it.
[[nodiscard]] Config in_common_order(Config config);

}  // namespace nlb
