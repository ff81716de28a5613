// SPDX-License-Identifier: Apache-2.0
// What is configured and what is in force: params; and the answers that need no daemon: ip2mac, key status.
#include "nlb/json_field.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

using nlohmann::json;

// Sections first, in the order of the file; whatever a newer daemon adds follows.
void add_parameters(TextTable& table, const json& configured, const json& in_force,
                    const std::string& prefix) {
  for (const auto& [key, value] : in_force.items()) {
    if (key == "port_rules" || value.is_object()) continue;
    const auto now = words(value);
    const bool known = configured.is_object() && configured.contains(key);
    const auto wanted = known ? field(configured, key.c_str()) : "";
    table.add({prefix + key,
               {now, known && wanted != now ? Colour::yellow : Colour::plain},
               known && wanted != now ? wanted : ""});
  }
  for (const auto& [key, value] : in_force.items())
    if (value.is_object())
      add_parameters(table, object_field(configured, key.c_str()), value, prefix + key + ".");
}

}  // namespace

std::string render_params(const json& answer, const Style& style) {
  const auto& configured = object_field(answer, "configured");
  const auto& in_force = object_field(answer, "in_force");
  TextTable table({"Parameter", "In force", "Configured otherwise"});
  add_parameters(table, configured, in_force, "");
  std::string out = "File: " + field(answer, "file") + "\n" + table.text(style) + "\nPort rules in force\n" +
                    render_rules(list_field(in_force, "port_rules"), style, "  ");
  if (list_field(configured, "port_rules") != list_field(in_force, "port_rules"))
    out += "\nPort rules configured\n" + render_rules(list_field(configured, "port_rules"), style, "  ");
  const auto& pending = list_field(answer, "pending");
  if (!pending.empty())
    out += "\n" + style.paint("Not in force yet: " + words(pending), Colour::yellow) + "\n";
  return out;
}

std::string render_ip2mac(const json& answer, const Style& style) {
  const auto& masked = list_field(answer, "masked");
  TextTable table({});
  table.add({"Cluster", field(answer, "vip")});
  table.add({"Unicast", field(answer, "unicast")});
  table.add({"Multicast", field(answer, "multicast")});
  table.add({"IGMP", field(answer, "igmp")});
  table.add({"Heartbeats to", field(answer, "heartbeat_group")});
  if (!masked.empty())
    table.add({"Masked source", field(masked.front(), "mac") + " (host 1) to " + field(masked.back(), "mac") +
                                    " (host " + field(masked.back(), "host") + ")"});
  return table.text(style);
}

std::string render_key_status(const json& answer, const Style& style) {
  std::string out = "File " + field(answer, "file") + "\n";
  TextTable table({"Key", "Fingerprint", "In force"});
  const auto& in_force = list_field(answer, "in_force");
  const bool asked = answer.is_object() && answer.contains("in_force");
  int rank = 0;
  for (const auto& fingerprint : list_field(answer, "fingerprints")) {
    bool found = false;
    for (const auto& other : in_force) found = found || other == fingerprint;
    table.add({rank++ == 0 ? "signs" : "accepted", words(fingerprint),
               !asked  ? Cell("")
               : found ? Cell("yes", Colour::green)
                       : Cell("no", Colour::yellow)});
  }
  out += table.text(style, "  ");
  if (asked && !flag_field(answer, "matches"))
    out += "The daemon uses other keys than the file; run \"nlb reload\".\n";
  return out;
}

}  // namespace nlb
