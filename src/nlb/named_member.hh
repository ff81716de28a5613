// SPDX-License-Identifier: Apache-2.0
// The host of nlb.exe's CLUSTER:HOST, where it is not named by its id.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.hh"

namespace nlb {

// `query`: the daemon's answer. `text`: a host's name, its dedicated IP, or 0 for the default host, as in
// nlb.exe. Error::code is the exit code.
[[nodiscard]] Result<int> member_named(const nlohmann::json& query, const std::string& text);

}  // namespace nlb
