// SPDX-License-Identifier: Apache-2.0
// Health checks as text: a member's health as its heartbeats state it, and this host's checks.
#include "nlb/json_field.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

using nlohmann::json;

std::string last_result(const json& check) {
  const auto& last = object_field(check, "last");
  if (last.empty()) return field(check, "state") == "waiting" ? "the VIP is not on this host" : "";
  return field(last, "detail") + " (" + duration_text(number_field(last, "age_ms")) + " ago)";
}

// How far the present state is from changing: what speaks against it, of what is needed.
std::string progress(const json& check) {
  const auto state = field(check, "state");
  if (state != "healthy" && state != "unhealthy") return "";
  const bool flaps = number_field(check, "flaps") > 0;
  return field(check, "in_a_row") + " of " + field(check, "needed") +
         (state == "healthy" ? " bad" : " good") + (flaps ? ", flaps" : "");
}

}  // namespace

bool tells_health(const json& answer) {
  bool tells = !list_field(answer, "health").empty();
  for (const auto& member : list_field(answer, "members"))
    tells = tells || !list_field(member, "unhealthy").empty() ||
            (member.contains("in_service") && !flag_field(member, "in_service"));
  return tells;
}

Cell health_cell(const json& member) {
  if (member.contains("in_service") && !flag_field(member, "in_service"))
    return {"out of service", Colour::red};
  std::string rules;
  for (const auto& rule : list_field(member, "unhealthy")) rules += (rules.empty() ? "" : ", ") + words(rule);
  if (rules.empty()) return {"well", Colour::green};
  return {"out of " + rules, Colour::red};
}

std::string render_health(const json& checks, const Style& style, const char* indent) {
  TextTable table({"Rule", "Type", "Target", "State", "For", "Until change", "Last result"});
  for (const auto& check : checks) {
    const auto state = field(check, "state");
    const bool whole_host = field(check, "on_failure") == "host";
    const auto since = number_field(check, "since_ms");
    table.add({field(check, "rule") + (whole_host ? " (whole host)" : ""),
               field(check, "type"),
               field(check, "target"),
               {state, colour_of_state(state)},
               since == 0 ? "" : duration_text(since),
               progress(check),
               last_result(check)});
  }
  return table.text(style, indent);
}

}  // namespace nlb
