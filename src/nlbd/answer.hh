// SPDX-License-Identifier: Apache-2.0
// Forms of the control socket (docs/control.md): an answer that says why something did not happen, and
// numbers of requests.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace nlb {

// exit_code: 1 it failed, 2 wrong usage or configuration, 4 not permitted.
[[nodiscard]] inline nlohmann::json failure(const std::string& message, int exit_code) {
  return {{"schema", 1}, {"error", {{"message", message}, {"exit", exit_code}}}};
}

// A whole number of a request from 0 to `most`, 0 where it has none; nothing where it is another one, or
// none.
[[nodiscard]] inline std::optional<int64_t> number_in(const nlohmann::json& request, const char* name,
                                                      int64_t most) {
  const auto found = request.find(name);
  if (found == request.end()) return 0;
  if (!found->is_number_integer() || *found < 0 || *found > most) return std::nullopt;
  return found->get<int64_t>();
}

}  // namespace nlb
