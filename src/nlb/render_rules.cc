// SPDX-License-Identifier: Apache-2.0
// Port rules and what they do: the table of display and params, queryport, connections, filter.
#include "nlb/json_field.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

using nlohmann::json;

std::string weight_of(const json& member) {
  const auto weight = field(member, "weight");
  const auto priority = field(member, "priority");
  return !weight.empty() ? weight : priority.empty() ? "" : "priority " + priority;
}

std::string queryport_rule(const json& rule, const Style& style) {
  const auto state = field(rule, "state");
  std::string out = "Rule " + style.paint(field(rule, "rule"), Colour::bold) + " is " +
                    style.paint(state, colour_of_state(state)) + " on this host, which has " +
                    share_text(fraction_field(rule, "share")) + " of it.\n";
  TextTable members({"Host", "State", "Weight", "Share"});
  for (const auto& member : list_field(rule, "members")) {
    const auto member_state = field(member, "state");
    members.add({field(member, "id"),
                 {member_state, colour_of_state(member_state)},
                 weight_of(member),
                 share_text(fraction_field(member, "share"))});
  }
  if (!members.empty()) out += members.text(style, "  ");
  const auto& packets = object_field(rule, "packets");
  if (!packets.empty())
    out +=
        "  Packets: accepted " + field(packets, "accepted") + ", dropped " + field(packets, "dropped") + "\n";
  if (rule.contains("connections")) out += "  Connections: " + field(rule, "connections") + "\n";
  return out;
}

}  // namespace

std::string render_rules(const json& rules, const Style& style, const char* indent) {
  TextTable table({"VIP", "Ports", "Protocol", "Mode", "Affinity", "Weight", "Timeout", "Priority", "State"});
  for (const auto& rule : rules) {
    const auto state = field(rule, "state");
    const auto timeout = number_field(rule, "timeout_s");
    table.add({field(rule, "vip"),
               field(rule, "ports"),
               field(rule, "protocol"),
               field(rule, "mode"),
               field(rule, "affinity"),
               field(rule, "weight"),
               timeout == 0 ? "" : std::to_string(timeout) + " s",
               field(rule, "priority"),
               {state, colour_of_state(state)}});
  }
  return table.text(style, indent);
}

std::string render_rule_list(const json& answer, const Style& style) {
  return render_rules(list_field(answer, "port_rules"), style, "");
}

std::string render_queryport(const json& answer, const Style& style) {
  std::string out;
  for (const auto& rule : list_field(answer, "rules")) out += queryport_rule(rule, style);
  return out;
}

std::string render_connections(const json& answer, const Style& style) {
  TextTable table({"Slot", "Rule", "Connections", "Held buckets", "Owned buckets"});
  for (const auto& rule : list_field(answer, "rules"))
    table.add({field(rule, "slot"), field(rule, "rule"), field(rule, "connections"),
               field(rule, "held_buckets"), field(rule, "owned_buckets")});
  return table.text(style) + "Total: " + field(answer, "total") + "\n";
}

std::string render_filter(const json& answer, const Style& style) {
  const auto host = number_field(answer, "host"), bucket = number_field(answer, "bucket", -1);
  const auto verdict = field(answer, "verdict");
  TextTable table({});
  table.add({"Rule", field(answer, "rule")});
  if (bucket >= 0) table.add({"Bucket", std::to_string(bucket)});
  table.add({"Accepted by", host == 0 ? Cell("no host", Colour::yellow)
                                      : Cell("host " + std::to_string(host), Colour::bold)});
  table.add({"This host", {verdict, verdict == "accept" ? Colour::green : Colour::dim}});
  table.add({"Because", field(answer, "reason")});
  return table.text(style);
}

}  // namespace nlb
