// SPDX-License-Identifier: Apache-2.0
// Answers of the daemon (docs/control.md) as text for people. Pure: JSON and style in, text with final
// newline out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "nlb/text_table.hh"

namespace nlb {

[[nodiscard]] std::string render_query(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_display(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_params(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_queryport(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_connections(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_filter(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_history(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_counters(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_event(const nlohmann::json& event, const Style& style);
// start, stop, enable, reload …: the message, and what changed.
[[nodiscard]] std::string render_action(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_ip2mac(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_doctor(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_key_status(const nlohmann::json& answer, const Style& style);

// Shared by query, display and queryport.
[[nodiscard]] std::string render_rules(const nlohmann::json& rules, const Style& style, const char* indent);
[[nodiscard]] Colour colour_of_state(const std::string& state);

}  // namespace nlb
