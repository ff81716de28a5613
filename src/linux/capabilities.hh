// SPDX-License-Identifier: Apache-2.0
// The capabilities that the daemon needs, and which of them it lacks.
#pragma once

#include <string>
#include <vector>

namespace nlb {

struct MissingCapability {
  std::string name;      // "CAP_NET_ADMIN"
  std::string purpose;   // what does not work without it
  bool required = true;  // false: works worse without it
};

// Of the calling thread's effective set; empty = nothing is missing.
[[nodiscard]] std::vector<MissingCapability> missing_capabilities();

}  // namespace nlb
