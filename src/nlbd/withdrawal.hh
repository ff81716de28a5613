// SPDX-License-Identifier: Apache-2.0
// What a daemon leaves in force on purpose - VIPs, cluster MAC, filter, guard - is taken off a host that
// takes part no more: `nlbd --release`, as the package is removed.
#pragma once

#include "base/result.hh"
#include "nlbd/daemon.hh"

namespace nlb {

// No daemon may run. Goes on after a failure; the error names each part that stayed.
[[nodiscard]] Result<void> withdraw(const Config& config, const DaemonPaths& paths);

}  // namespace nlb
