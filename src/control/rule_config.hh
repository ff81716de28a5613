// SPDX-License-Identifier: Apache-2.0
// [[port_rule]] and [[port_rule.health]].
#pragma once

#include <vector>

#include "control/config_section.hh"
#include "core/config.hh"
#include "core/health_check.hh"

namespace nlb {

// Rules in the file's order; a rule with a problem is there with defaults. vips: those of [cluster].
struct RuleTables {
  std::vector<PortRule> rules;
  std::vector<HealthCheck> health_checks;
};
[[nodiscard]] RuleTables read_rules(const std::vector<const TomlNode*>& tables, const std::vector<Vip>& vips,
                                    ProblemList& problems);

}  // namespace nlb
