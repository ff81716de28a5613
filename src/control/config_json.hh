// SPDX-License-Identifier: Apache-2.0
// The configuration in words: JSON with the keys of the file (shapes in docs/control.md), and one-line texts
// of a rule. Never a key or seed.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/config.hh"

namespace nlb {

[[nodiscard]] const char* name_of(ClusterMode value);
[[nodiscard]] const char* name_of(MacStrategy value);
[[nodiscard]] const char* name_of(FilteringMode value);
[[nodiscard]] const char* name_of(Affinity value);
[[nodiscard]] const char* name_of(RuleProtocol value);
[[nodiscard]] const char* name_of(InitialState value);
[[nodiscard]] const char* name_of(OnUnproven value);
[[nodiscard]] const char* name_of(DatapathKind value);
[[nodiscard]] const char* name_of(RemoteControl value);
[[nodiscard]] const char* name_of(HealthType value);
[[nodiscard]] const char* name_of(OnHealthFailure value);
[[nodiscard]] const char* name_of(AllDown value);

[[nodiscard]] std::string ports_text(const PortRule& rule);  // "80" or "80-443"
[[nodiscard]] std::string rule_text(const PortRule& rule);   // "all:80-443 tcp"
// Also the implicit slots: "default", "echo". A slot without a rule: "slot N".
[[nodiscard]] std::string rule_text(const Config& config, std::size_t slot);

[[nodiscard]] nlohmann::json to_json(const PortRule& rule, std::size_t slot);
[[nodiscard]] nlohmann::json to_json(const HealthCheck& check);
[[nodiscard]] nlohmann::json to_json(const Config& config);  // the shape P of `params`

}  // namespace nlb
