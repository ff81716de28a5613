// SPDX-License-Identifier: Apache-2.0
// The configuration as this host can use it: the file by itself, then its VIPs against the interface's own
// addresses, gateway and subnets. Both are mistakes in the file and named with file and line.
#pragma once

#include "control/config_file.hh"

namespace nlb {

// An interface that is missing or has no address yet is no mistake in the file: the start names it.
[[nodiscard]] tl::expected<Config, std::vector<ConfigProblem>> read_local_config(
    const std::string& path, SecretOwner key_of = SecretOwner::root_or_reader);

}  // namespace nlb
