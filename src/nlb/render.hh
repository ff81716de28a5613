// SPDX-License-Identifier: Apache-2.0
// Answers of the daemon (docs/control.md) as text for people. Pure: JSON and style in, text with final
// newline out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

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
// Answers of several hosts (--all): a line or a block each; query as one table.
[[nodiscard]] std::string render_hosts(const nlohmann::json& answer, const std::string& command,
                                       std::string (*render)(const nlohmann::json&, const Style&),
                                       const Style& style);
// "3 connections left, 25 s": one line, without its end, of hosts that drain.
[[nodiscard]] std::string render_drain(const std::vector<nlohmann::json>& answers);
[[nodiscard]] std::string render_rule_list(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_ip2mac(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_doctor(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string render_key_status(const nlohmann::json& answer, const Style& style);

// Shared by query, display and queryport.
[[nodiscard]] std::string render_rules(const nlohmann::json& rules, const Style& style, const char* indent);
[[nodiscard]] Colour colour_of_state(const std::string& state);
// Whether there is anything to say of health; a member's; the checks of this host.
[[nodiscard]] bool tells_health(const nlohmann::json& answer);
[[nodiscard]] Cell health_cell(const nlohmann::json& member);
[[nodiscard]] std::string render_health(const nlohmann::json& checks, const Style& style, const char* indent);

}  // namespace nlb
