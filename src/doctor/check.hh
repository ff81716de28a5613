// SPDX-License-Identifier: Apache-2.0
// The diagnosis: a list of checks in a fixed order, each a pure function of the facts. Ids are part of the
// outside contract; append only.
#pragma once

#include <string>
#include <vector>

#include "doctor/facts.hh"

namespace nlb::doctor {

enum class Status : uint8_t { pass, warn, fail };
[[nodiscard]] const char* name_of(Status status);

struct Check {
  std::string id;  // "net.vip-conflict"
  Status status = Status::pass;
  std::string detail;  // what was seen
  std::string remedy;  // what to do; "" with pass
};

// Without a configuration only what every host needs is judged.
[[nodiscard]] std::vector<Check> examine(const Facts& facts);

}  // namespace nlb::doctor
