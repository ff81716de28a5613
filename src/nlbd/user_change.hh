// SPDX-License-Identifier: Apache-2.0
// nlbd that root starts with --user: what needs root is done here, before it becomes that user; nothing that
// comes later needs it.
#pragma once

#include "base/result.hh"
#include "linux/capabilities.hh"
#include "nlbd/daemon.hh"

namespace nlb {

// Runtime, state and pin directories become the account's, then the process does. Before any thread is made.
[[nodiscard]] Result<void> change_user(const Account& account, const DaemonPaths& paths);

}  // namespace nlb
