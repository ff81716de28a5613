// SPDX-License-Identifier: Apache-2.0
// Which commands of the control sockets the API offers, and which arguments each takes: one table, from which
// requests are checked. Whatever is not in it is not passed on.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/result.hh"
#include "console/fleet.hh"

namespace nlb::console {

enum class ArgumentKind { number, text, port, flag, object };

struct Argument {
  const char* name;
  ArgumentKind kind;
};

struct Offered {
  const char* command;
  Kind target;
  bool changes;
  std::vector<Argument> arguments;
};

[[nodiscard]] const Offered* offered(Kind target, const std::string& command, bool changes);
// From a query's texts.
[[nodiscard]] Result<nlohmann::json> request_from(const Offered& offered,
                                                  const std::map<std::string, std::string>& query);
// From a body.
[[nodiscard]] Result<nlohmann::json> request_from(const Offered& offered, const nlohmann::json& body);

}  // namespace nlb::console
