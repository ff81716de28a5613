// SPDX-License-Identifier: Apache-2.0
// What nlb does with an understood command line. Each returns an exit code and has printed what there is to
// print.
#pragma once

#include "nlb/invocation.hh"
#include "nlb/text_table.hh"

namespace nlb {

[[nodiscard]] int run_remote(const Invocation& invocation, const Style& style);  // asks the daemon
[[nodiscard]] int run_local(const Invocation& invocation,
                            const Style& style);  // ip2mac, keygen, key, version

[[nodiscard]] int run_import(const Invocation& invocation, const Style& style);
[[nodiscard]] int run_switch_config(const Invocation& invocation, const Style& style);
[[nodiscard]] int run_netcfg(const Invocation& invocation, const Style& style);

[[nodiscard]] int run_top(const Invocation& invocation, const Style& style);
[[nodiscard]] int run_doctor(const Invocation& invocation, const Style& style);  // works without a daemon

}  // namespace nlb
