// SPDX-License-Identifier: Apache-2.0
// What the daemon answers about health. Shapes: docs/control.md.
#include <nlohmann/json.hpp>

#include "control/config_json.hh"
#include "linux/clock.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;

const char* state_of(const CheckStatus& status) {
  if (status.waiting) return "waiting";
  constexpr std::array names = {"checking", "healthy", "unhealthy"};
  return names[static_cast<std::size_t>(status.health)];
}

Json json_of(const CheckStatus& status, Nanos now) {
  const bool known = status.health != core::Health::checking;
  Json json = {{"rule", status.rule},
               {"slot", status.check.rule_index},
               {"type", name_of(status.check.type)},
               {"target", status.check.target},
               {"on_failure", name_of(status.check.on_failure)},
               {"all_down", name_of(status.check.all_down)},
               {"state", state_of(status)},
               {"in_a_row", status.in_a_row},
               {"needed", status.needed},
               {"flaps", status.flaps},
               {"since_ms", known ? (now - status.since) / kMillisecond : 0},
               {"last", nullptr}};
  if (status.last_at != 0)
    json["last"] = {{"good", status.last_good},
                    {"detail", status.detail},
                    {"took_ms", status.last_took / kMillisecond},
                    {"age_ms", (now - status.last_at) / kMillisecond}};
  return json;
}

}  // namespace

Json Daemon::health_json() const {
  Json checks = Json::array();
  const Nanos now = boottime_now();
  for (const CheckStatus& status : health_->statuses()) checks.push_back(json_of(status, now));
  return checks;
}

Json Daemon::unhealthy_rules_json(const std::array<uint8_t, kMaxRules>& offers) const {
  Json rules = Json::array();
  for (std::size_t slot = 0; slot < config_.rules.size(); ++slot)
    if (wire::is_unhealthy_offer(offers[slot])) rules.push_back(rule_text(config_, slot));
  return rules;
}

// What an administrator has switched stands before what a check says.
const char* Daemon::state_of_rule(std::size_t slot) const {
  const bool unhealthy = wire::is_unhealthy_offer(offers_now().offers[slot]);
  return unhealthy ? kRuleStateNames.back() : switch_name(slot);
}

}  // namespace nlb
