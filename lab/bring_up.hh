// SPDX-License-Identifier: Apache-2.0
// From nothing to a lab whose hosts have reached their final state.
#pragma once

#include <string>

#include "base/result.hh"
#include "lab/plan.hh"

namespace nlb::lab {

// Returns when all hosts have converged; with mac_spoofing "off" also when all are refused. Error codes are
// exit codes: 2 = the plan cannot be, 4 = not permitted, 0 = it failed. What was built by then stays.
[[nodiscard]] Result<void> bring_up(const Plan& plan, int timeout_s);
// Network, guard, files and services, but no nlbd yet.
[[nodiscard]] Result<void> lay_out(const Plan& plan);
[[nodiscard]] std::string summary_of(const Plan& plan);

}  // namespace nlb::lab
