// SPDX-License-Identifier: Apache-2.0
// The web console beside the lab: it looks at all hosts and the switch, from outside of their namespaces,
// until the lab is taken down.
#pragma once

#include <string>

#include "base/result.hh"

namespace nlb::lab {

// What it says: its address, and the file with its token. One that runs already says it again.
[[nodiscard]] Result<std::string> start_console();
void end_console();  // fine when there is none

}  // namespace nlb::lab
