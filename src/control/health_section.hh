// SPDX-License-Identifier: Apache-2.0
// One [[port_rule.health]] table, read and judged.
#pragma once

#include "control/config_section.hh"
#include "core/health_check.hh"

namespace nlb {

[[nodiscard]] HealthCheck read_health_check(const TomlNode& table, std::size_t rule_index,
                                            ProblemList& problems);

}  // namespace nlb
