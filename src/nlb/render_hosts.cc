// SPDX-License-Identifier: Apache-2.0
// What several hosts answered to one command (--all).
#include <algorithm>

#include "nlb/json_field.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

using nlohmann::json;

std::string host_text(const json& entry) {
  const auto name = field(entry, "name");
  return "Host " + field(entry, "host") + (name.empty() ? "" : " (" + name + ")");
}

std::string members_text(const json& answer) {
  std::string text;
  for (const auto& member : list_field(answer, "members"))
    text += (text.empty() ? "" : ", ") + field(member, "id");
  return text;
}

std::string error_of(const json& answer) {
  return field(object_field(answer, "error"), "message");
}

std::string query_table(const json& answer, const Style& style) {
  TextTable table({"ID", "Name", "State", "View", "Members"});
  for (const auto& entry : list_field(answer, "answers")) {
    const auto& said = object_field(entry, "answer");
    const auto state = field(said, "state");
    if (const auto error = error_of(said); !error.empty())
      table.add({field(entry, "host"), field(entry, "name"), {"no answer", Colour::red}, "", error});
    else
      table.add({field(entry, "host"),
                 field(entry, "name"),
                 {state + (flag_field(said, "default") ? " (default)" : ""), colour_of_state(state)},
                 field(said, "view"),
                 members_text(said)});
  }
  return "Cluster " + style.paint(field(answer, "cluster"), Colour::bold) + "\n" + table.text(style, "  ");
}

}  // namespace

std::string render_drain(const std::vector<json>& answers) {
  int64_t connections = 0, remaining_s = -1, hosts = 0;
  for (const auto& answer : answers) {
    const auto& drain = object_field(answer, "drain");
    if (drain.empty()) continue;
    ++hosts;
    connections += number_field(drain, "connections");
    remaining_s = std::max(remaining_s, number_field(drain, "remaining_s", -1));
  }
  return (hosts > 1 ? std::to_string(hosts) + " hosts drain: " : "Draining: ") + std::to_string(connections) +
         (connections == 1 ? " connection is left" : " connections are left") +
         (remaining_s < 0 ? "" : ", at most " + std::to_string(remaining_s) + " s");
}

std::string render_hosts(const json& answer, const std::string& command,
                         std::string (*render)(const json&, const Style&), const Style& style) {
  if (command == "query") return query_table(answer, style);
  std::string out;
  for (const auto& entry : list_field(answer, "answers")) {
    const auto& said = object_field(entry, "answer");
    const auto title = style.paint(host_text(entry), Colour::bold);
    if (const auto error = error_of(said); !error.empty()) {
      out += title + ": " + style.paint(error, Colour::red) + "\n";
      continue;
    }
    const bool acts = render == render_action;
    out += title + (acts ? ": " : "\n") + render(said, style) + (acts ? "" : "\n");
  }
  return out;
}

}  // namespace nlb
