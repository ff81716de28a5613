// SPDX-License-Identifier: Apache-2.0
// QEMU's monitor (QMP): one command over its Unix socket.
#pragma once

#include <string>

#include "base/result.hh"

namespace nlb::lab {

// `arguments` is a JSON object.
[[nodiscard]] Result<void> qmp(const std::string& socket_path, const std::string& command,
                               const std::string& arguments);

}  // namespace nlb::lab
