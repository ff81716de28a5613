// SPDX-License-Identifier: Apache-2.0
// Starts a program that may do nothing that an ordinary program of this user may not: without capabilities,
// without a way to new ones, in ordinary scheduling, with a given environment and no descriptor of ours.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb {

struct ConfinedProcess {
  pid_t pid = 0;       // leads a session and process group of its own
  int end_fd = -1;     // readable when it has ended (pidfd); the caller closes it and waits for the pid
  int output_fd = -1;  // what it writes to stdout and stderr; non-blocking; the caller closes it
};

// `path` is run as it is, without a shell and without arguments; `environment` is NAME=VALUE.
[[nodiscard]] Result<ConfinedProcess> start_confined(const std::string& path,
                                                     const std::vector<std::string>& environment);

}  // namespace nlb
