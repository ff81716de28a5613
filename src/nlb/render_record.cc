// SPDX-License-Identifier: Apache-2.0
// What happened and what was counted: history, events, counters, the outcome of an action.
#include "nlb/json_field.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

using nlohmann::json;

Colour colour_of_severity(const std::string& severity) {
  if (severity == "error") return Colour::red;
  return severity == "warning" ? Colour::yellow : Colour::plain;
}

}  // namespace

std::string render_history(const json& answer, const Style& style) {
  TextTable table({"Time", "View", "Took", "Members", "Cause"});
  for (const auto& entry : list_field(answer, "history")) {
    const auto duration = number_field(entry, "duration_ms", -1);
    std::string causes;
    for (const auto& cause : list_field(entry, "causes"))
      causes += (causes.empty() ? "" : "; ") + words(cause);
    table.add({time_text(number_field(entry, "time_ms")), field(entry, "view"),
               duration < 0 ? Cell("converging", Colour::yellow) : Cell(duration_text(duration)),
               field(entry, "members"), causes.empty() ? field(entry, "cause") : causes});
  }
  return table.text(style);
}

std::string render_event(const json& event, const Style& style) {
  const auto severity = field(event, "severity");
  std::string out = style.paint(field(event, "time"), Colour::dim) + "  " +
                    style.paint(severity, colour_of_severity(severity)) + "  " + field(event, "number") +
                    " " + field(event, "name") + ": " + field(event, "text") + "\n";
  const auto remedy = field(event, "remedy");
  return remedy.empty() ? out : out + "    " + style.paint("Remedy: ", Colour::bold) + remedy + "\n";
}

std::string render_counters(const json& answer, const Style& style) {
  TextTable table({"Counter", "Packets", "Bytes", "Meaning"});
  for (const auto& counter : list_field(answer, "counters")) {
    const bool alarming = counter.contains("expected") && !flag_field(counter, "expected") &&
                          number_field(counter, "packets") != 0;
    table.add(
        {field(counter, "name"),
         {field(counter, "packets"), alarming ? Colour::red : Colour::plain},
         field(counter, "bytes"),
         field(counter, "text") +
             (alarming ? (field(counter, "text").empty() ? "should be zero" : " (should be zero)") : "")});
  }
  const auto& heartbeat = object_field(answer, "heartbeat");
  if (heartbeat.empty()) return table.text(style);
  TextTable frames({});
  frames.add({"Heartbeats sent", field(heartbeat, "sent")});
  frames.add({"Heartbeats received", field(heartbeat, "received")});
  for (const auto& [reason, count] : object_field(heartbeat, "refused").items())
    if (count.is_number() && count != 0)
      frames.add({"Refused: " + words(json(reason)), {words(count), Colour::yellow}});
  return table.text(style) + "\n" + frames.text(style);
}

std::string render_action(const json& answer, const Style& style) {
  std::string out;
  if (const auto message = field(answer, "message"); !message.empty()) out += message + "\n";
  for (const auto& rule : list_field(answer, "rules")) {
    const auto state = field(rule, "state");
    out += "  " + field(rule, "rule") + ": " + style.paint(state, colour_of_state(state)) + "\n";
  }
  for (const auto& change : list_field(answer, "changed")) out += "  changed: " + words(change) + "\n";
  if (out.empty()) out = "Done.\n";
  return out;
}

}  // namespace nlb
