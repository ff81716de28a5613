// SPDX-License-Identifier: Apache-2.0
// A configuration file as text. What is no such file (a directory, a disk image, nothing) is named as that
// and not fed to a parser.
#pragma once

#include <string>

#include "base/result.hh"

namespace nlb {

// At most 1 MiB. The message does not name the path: the caller does.
[[nodiscard]] Result<std::string> read_config_text(const std::string& path);

}  // namespace nlb
