// SPDX-License-Identifier: Apache-2.0
// query and display: the state of this host and its cluster, in nlb.exe's words where it has some.
#include "nlb/json_field.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

using nlohmann::json;

std::string headline(const json& answer, const Style& style) {
  const auto host = "Host " + field(answer, "host");
  const auto state = field(answer, "state");
  const auto shown = style.paint(state, colour_of_state(state));
  if (state == "stopped") return host + " is " + shown + " and takes no part in the cluster.\n";
  if (state == "suspended") return host + " is " + shown + "; \"nlb resume\" ends that.\n";
  if (state == "refused")
    return host + " is " + shown + " and takes no part in the cluster; \"nlb display\" says why.\n";
  const char* as_default = flag_field(answer, "default") ? " as DEFAULT" : "";
  return host + " " + shown + as_default + " with the following host(s) as part of the cluster:\n";
}

std::string member_table(const json& answer, const Style& style) {
  std::vector<std::string> headings = {"ID", "State", "Name", "Dedicated IP", "Last heard"};
  const bool health = tells_health(answer);
  if (health) headings.emplace_back("Health");
  TextTable table(std::move(headings));
  for (const auto& member : list_field(answer, "members")) {
    const auto state = field(member, "state");
    const bool itself = number_field(member, "id") == number_field(answer, "host");
    std::vector<Cell> row = {
        field(member, "id"),
        {state + (flag_field(member, "default") ? " (default)" : ""), colour_of_state(state)},
        field(member, "name"),
        field(member, "dedicated_ip"),
        itself ? "this host" : duration_text(number_field(member, "last_heard_ms")) + " ago"};
    if (health) row.push_back(health_cell(member));
    table.add(std::move(row));
  }
  return table.empty() ? "" : table.text(style, "  ");
}

// Why a host has more or less of a rule than its weight would give it.
std::string kept_lines(const json& answer) {
  std::string out;
  for (const auto& kept : list_field(answer, "kept")) {
    out += "Kept for returning clients of rule " + field(kept, "rule") + ": " + field(kept, "buckets") +
           " buckets by ";
    if (number_field(kept, "host") != number_field(answer, "host")) {
      out += "host " + field(kept, "host") + ".\n";
      continue;
    }
    out += "this host, for " + duration_text(number_field(kept, "since_s") * 1000) +
           " so far. If nobody returns, the first moves in " +
           duration_text(number_field(kept, "first_move_s") * 1000) + ", the last in " +
           duration_text(number_field(kept, "last_move_s") * 1000) + ".\n";
  }
  return out;
}

// A MAC is marked only when it is not what it should be.
Cell current_mac(const json& adapter) {
  const auto current = field(adapter, "mac_current"), expected = field(adapter, "mac_expected");
  if (current == expected) return current;
  return {current + "  (expected " + expected + ")", Colour::red};
}

std::string adapter_block(const json& adapter, const Style& style) {
  TextTable table({});
  const auto add = [&](const char* title, Cell value) {
    if (!value.text.empty()) table.add({title, std::move(value)});
  };
  const auto bind = field(adapter, "bind"), carried = field(adapter, "cluster_mac_in"),
             reason = field(adapter, "reason");
  add("Interface", field(adapter, "interface"));
  add("Driver", field(adapter, "driver"));
  const auto note = field(adapter, "datapath_note");
  add("Datapath", field(adapter, "datapath") + (note.empty() ? "" : ": " + note));
  add("Bind", {bind, bind == "bound" ? Colour::green : bind == "refused" ? Colour::red : Colour::yellow});
  add("MAC strategy", field(adapter, "mac_strategy"));
  add("MAC permanent", field(adapter, "mac_permanent"));
  add("MAC current", current_mac(adapter));
  add("MAC of the cluster", field(adapter, "mac_cluster"));
  add("MAC masked", field(adapter, "mac_masked"));
  add("Cluster MAC comes in by", {carried, carried == "none" ? Colour::red : Colour::plain});
  const auto& guard = object_field(adapter, "switch");
  if (const auto said = field(guard, "text"); !said.empty())
    add("Switch policy", said + " (heard " + duration_text(number_field(guard, "age_ms")) + " ago)");
  if (reason != "none") {
    add("Reason", {reason, Colour::red});
    add("Evidence", field(adapter, "evidence"));
    add("Remedy", {field(adapter, "remedy"), Colour::bold});
  }
  return table.text(style, "  ");
}

std::string heading(const char* text, const Style& style) {
  return "\n" + style.paint(text, Colour::bold) + "\n";
}

}  // namespace

Colour colour_of_state(const std::string& state) {
  if (state == "converged" || state == "enabled" || state == "healthy") return Colour::green;
  if (state == "converging" || state == "draining" || state == "disabled") return Colour::yellow;
  if (state == "checking" || state == "waiting") return Colour::yellow;
  return state == "refused" || state == "unhealthy" ? Colour::red : Colour::dim;
}

std::string render_query(const json& answer, const Style& style) {
  return "Cluster " + style.paint(field(answer, "cluster"), Colour::bold) + "\n" + headline(answer, style) +
         member_table(answer, style) + kept_lines(answer);
}

std::string render_display(const json& answer, const Style& style) {
  std::string out = render_query(answer, style);
  if (const auto reason = field(answer, "reason_text"); !reason.empty()) out += "Reason: " + reason + "\n";
  out += heading("Adapter", style) + adapter_block(object_field(answer, "adapter"), style);
  out += heading("Virtual IP addresses", style);
  TextTable vips({});
  for (const auto& vip : list_field(answer, "vips"))
    vips.add({field(vip, "address"),
              flag_field(vip, "present") ? Cell("present", Colour::green) : Cell("absent", Colour::yellow)});
  out += vips.text(style, "  ");
  out += heading("Port rules", style) + render_rules(list_field(answer, "port_rules"), style, "  ");
  const auto& checks = list_field(answer, "health");
  if (!checks.empty()) out += heading("Health checks", style) + render_health(checks, style, "  ");
  const auto& events = list_field(answer, "events");
  if (!events.empty()) out += heading("Last events", style);
  for (const auto& event : events) out += render_event(event, style);
  TextTable program({});
  if (const auto version = field(answer, "version"); !version.empty()) program.add({"Version", version});
  if (answer.is_object() && answer.contains("uptime_s"))
    program.add({"Up for", duration_text(number_field(answer, "uptime_s") * 1000)});
  if (const auto file = field(answer, "file"); !file.empty()) program.add({"Configuration", file});
  return program.empty() ? out : out + heading("Daemon", style) + program.text(style, "  ");
}

}  // namespace nlb
