// SPDX-License-Identifier: Apache-2.0
// The cluster that a command without effect on it is about: of a file, or what the daemon has in force.
#pragma once

#include "base/result.hh"
#include "core/config.hh"
#include "nlb/invocation.hh"

namespace nlb {

// --config FILE if given; else the daemon's answer, else /etc/opennlb/CLUSTER.toml with --cluster. Only
// [cluster] and the interface are filled in. Error::code is the exit code.
[[nodiscard]] Result<Config> cluster_in_question(const Invocation& invocation);

}  // namespace nlb
