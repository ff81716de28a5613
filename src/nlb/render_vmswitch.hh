// SPDX-License-Identifier: Apache-2.0
// Answers of nlb-vmswitch as text for people. Pure: JSON and style in, text with final newline out. Settings
// go by the names that Hyper-V's settings dialog gives them, for those who know them from there.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "nlb/text_table.hh"

namespace nlb {

[[nodiscard]] std::string render_switches(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_clusters(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_violations(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_discovery(const nlohmann::json& answer, const Style& style);

}  // namespace nlb
