// SPDX-License-Identifier: Apache-2.0
// A configuration or key file of any bytes: it is accepted, or refused with problems that say where and what.
// Nothing in between, and no file is touched.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/limits.hh"
#include "control/config_file.hh"
#include "control/config_json.hh"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_problems(const std::vector<nlb::ConfigProblem>& problems) {
  require(!problems.empty());
  for (const auto& problem : problems) {
    require(!problem.message.empty());
    require(
        std::none_of(problem.message.begin(), problem.message.end(), [](char c) { return (c & 0xe0) == 0; }));
  }
}

void check_config(const nlb::ParsedConfig& parsed) {
  const auto& config = parsed.config;
  require(!config.name.empty() && config.id >= 1 && config.id <= nlb::kMaxHosts && !config.key_file.empty());
  require(!config.vips.empty() && config.vips.size() <= nlb::kMaxVips);
  require(!config.rules.empty() && config.rules.size() <= nlb::kMaxRules);
  for (const auto& rule : config.rules) require(rule.first_port <= rule.last_port);
  for (const auto& check : parsed.config.health_checks)
    require(check.rule_index < config.rules.size() && check.timeout_ms <= check.interval_ms);
  require(nlb::to_json(config).at("port_rules").size() == config.rules.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = nlb::parse_config(text, "web.toml");
  if (config)
    check_config(*config);
  else
    check_problems(config.error());
  const auto keys = nlb::parse_keys(text, "web.key");
  if (!keys) check_problems(keys.error());
  return 0;
}
