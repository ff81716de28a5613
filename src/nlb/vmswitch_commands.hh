// SPDX-License-Identifier: Apache-2.0
// `nlb vmswitch …`: asks nlb-vmswitch, or (discover) looks at what the hypervisor has.
#pragma once

#include "nlb/invocation.hh"
#include "nlb/text_table.hh"

namespace nlb {

// invocation.command is "vmswitch NAME". Returns an exit code and has printed what there is to print.
[[nodiscard]] int run_vmswitch(const Invocation& invocation, const Style& style);

}  // namespace nlb
