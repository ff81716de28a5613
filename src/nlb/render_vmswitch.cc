// SPDX-License-Identifier: Apache-2.0
#include "nlb/render_vmswitch.hh"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "nlb/json_field.hh"

namespace nlb {
namespace {

using nlohmann::json;

std::string title_of(const json& port) {
  const auto vm = field(port, "vm"), adapter = field(port, "adapter");
  if (vm.empty()) return field(port, "interface");
  return adapter.empty() ? vm : vm + "/" + adapter;
}

Cell state_cell(const json& port) {
  const auto state = field(port, "state");
  const Colour colour = state == "guarded"                     ? Colour::green
                        : state == "absent"                    ? Colour::dim
                        : state == "closed" || state == "down" ? Colour::red
                                                               : Colour::yellow;
  return {state, colour};
}

// "on" lets a guest use any address that is nobody else's: not wrong, but to be seen.
Cell spoofing_cell(const json& port) {
  const auto spoofing = field(port, "mac_spoofing");
  if (spoofing == "cluster") {
    const auto id = number_field(port, "host_id");
    return "cluster " + field(port, "cluster") + (id != 0 ? " as host " + std::to_string(id) : "");
  }
  return {spoofing, spoofing == "on" ? Colour::yellow : Colour::plain};
}

std::string limit_text(const json& port, const char* key, const char* unit) {
  const auto limit = number_field(port, key);
  return limit == 0 ? "none" : std::to_string(limit) + " " + unit;
}

// Frames of its cluster that the adapter got, or was spared.
void add_steering(TextTable& table, const json& steering) {
  const auto why = field(steering, "flooded_because");
  table.add({"  Frames of its cluster",
             why.empty() ? Cell("steered", Colour::green) : Cell("all of them: " + why, Colour::yellow),
             field(steering, "steered") + " steered, " + field(steering, "replicated") + " replicated, " +
                 field(steering, "flooded") + " flooded, " + field(steering, "steered_away") + " kept away"});
}

// Of an uplink, frames that came in for clusters.
void add_directing(TextTable& table, const json& port) {
  const auto& directing = port["directing"];
  table.add({"  Frames to clusters from here", Cell("steered", Colour::green),
             field(directing, "directed") + " to one member alone, " + field(directing, "steered_away") +
                 " to none here"});
}

void add_settings(TextTable& table, const json& port) {
  const std::string source = std::filesystem::path(field(port, "source")).filename().string();
  table.add({"  Enable spoofing of MAC address", spoofing_cell(port), "(" + source + ")"});
  if (flag_field(port, "incoming"))
    table.add({"  Live migration", Cell("comes from another host", Colour::yellow)});
  table.add({"  MAC address", field(port, "mac")});
  table.add({"  IP addresses", flag_field(port, "addresses_checked") ? Cell(field(port, "addresses"))
                                                                     : Cell("not checked", Colour::yellow)});
  if (const auto learned = field(port, "learned"); !learned.empty())
    table.add({"  MAC addresses used besides", learned});
  if (number_field(port, "vlan") != 0) table.add({"  VLAN identifier", field(port, "vlan")});
  if (flag_field(port, "dhcp_guard")) table.add({"  Enable DHCP guard", "yes"});
  if (flag_field(port, "router_guard")) table.add({"  Enable router advertisement guard", "yes"});
  if (number_field(port, "storm_limit_pps") != 0)
    table.add({"  Storm limit", limit_text(port, "storm_limit_pps", "frames/s")});
  if (field(port, "mac_spoofing") == "on")
    table.add({"  MAC addresses at most",
               limit_text(port, "max_macs", flag_field(port, "sticky") ? "(sticky)" : "")});
  if (const auto action = field(port, "violation"); action != "drop") table.add({"  On violation", action});
  if (port.contains("steering")) add_steering(table, port["steering"]);
}

std::string render_port(const json& port, const Style& style) {
  TextTable table({});
  const auto hook = field(port, "hook");
  const auto place = flag_field(port, "present")
                         ? field(port, "interface") + " on " + field(port, "bridge") + " by " + hook
                         : field(port, "interface");
  const bool guest = field(port, "role") == "guest";
  table.add(
      {{guest ? title_of(port) : field(port, "role") + " port", Colour::bold}, state_cell(port), place});
  if (guest) add_settings(table, port);
  if (port.contains("directing")) add_directing(table, port);
  std::string out = table.text(style);
  if (const auto obstacle = field(port, "obstacle"); !obstacle.empty())
    out += "  " + style.paint("closed: ", Colour::red) + obstacle + "\n";
  return out;
}

}  // namespace

std::string render_switches(const json& answer, const Style& style) {
  std::string out;
  for (const auto& one : list_field(answer, "switches")) {
    out += style.paint("Switch " + field(one, "bridge"), Colour::bold) + "  policy " + field(one, "policy") +
           ", unknown ports " + field(one, "unknown_ports") + ", properties change " +
           (flag_field(one, "require_stopped") ? "while the VM is stopped" : "at any time") +
           (flag_field(one, "announce") ? ", guests are told" : ", guests are not told") +
           (flag_field(one, "steering") ? ", frames of clusters are steered" : "") +
           (flag_field(one, "fence_notice") ? ", members are told of ports that are fenced" : "") + "\n";
    for (const auto& warning : list_field(one, "warnings"))
      out += style.paint("Warning: ", Colour::yellow) + words(warning) + "\n";
    for (const auto& port : list_field(one, "ports")) out += "\n" + render_port(port, style);
    out += "\n";
  }
  for (const auto& port : list_field(answer, "absent")) out += render_port(port, style) + "\n";
  for (const auto& waiting : list_field(answer, "waiting"))
    out += style.paint(words(waiting), Colour::bold) + "  has settings in vmswitch.d and does not run\n";
  for (const auto& problem : list_field(answer, "problems"))
    out += style.paint("Problem: ", Colour::red) + words(problem) + "\n";
  return out;
}

std::string render_clusters(const json& answer, const Style& style) {
  std::string out;
  for (const auto& cluster : list_field(answer, "clusters")) {
    const auto mode = field(cluster, "mode");
    out += style.paint(field(cluster, "name"), Colour::bold) + "  " + field(cluster, "type") +
           (mode.empty() ? "" : " " + mode) + ", VLAN " + field(cluster, "vlan") + ", VIPs " +
           field(cluster, "vips") + "\n";
    TextTable table({"Host", "Adapter", "Interface", "Spoofing", "State"});
    for (const auto& member : list_field(cluster, "members")) {
      const bool in = flag_field(member, "member");
      table.add({field(member, "host_id"), title_of(member), field(member, "interface"),
                 field(member, "mac_spoofing"),
                 !in                             ? Cell("prepared", Colour::dim)
                 : flag_field(member, "ready")   ? Cell("member", Colour::green)
                 : flag_field(member, "present") ? Cell("closed", Colour::red)
                                                 : Cell("absent", Colour::dim)});
    }
    out += table.empty() ? "  no port here belongs to it\n" : table.text(style, "  ");
  }
  return out.empty() ? "No cluster is declared.\n" : out;
}

std::string render_violations(const json& answer, const Style& style) {
  TextTable table({"Adapter", "Port", "Reason", "Address", "Count", "First", "Last"});
  for (const auto& one : list_field(answer, "violations"))
    table.add({title_of(one),
               field(one, "port"),
               {field(one, "reason"), Colour::red},
               field(one, "address"),
               field(one, "count"),
               field(one, "first"),
               field(one, "last")});
  return table.empty() ? "No violations.\n" : table.text(style);
}

std::string render_discovery(const json& answer, const Style& style) {
  std::string out;
  for (const auto& note : list_field(answer, "notes"))
    out += style.paint("Note: ", Colour::yellow) + words(note) + "\n";
  const auto file = field(answer, "file");
  if (file.empty()) return out + field(answer, "text");
  return out + "Wrote " + file + " with policy \"audit\": nothing is dropped yet.\n" +
         "Look at `nlb vmswitch violations` for a while, then set policy = \"enforce\" and reload.\n";
}

}  // namespace nlb
