// SPDX-License-Identifier: Apache-2.0
// The form of an answer on the control socket that says why something did not happen (docs/control.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace nlb {

// exit_code: 1 it failed, 2 wrong usage or configuration, 4 not permitted.
[[nodiscard]] inline nlohmann::json failure(const std::string& message, int exit_code) {
  return {{"schema", 1}, {"error", {{"message", message}, {"exit", exit_code}}}};
}

}  // namespace nlb
