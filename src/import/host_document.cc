// SPDX-License-Identifier: Apache-2.0
// The file of one host: first what is to be looked at, then the configuration in the order of nlbd.toml(5).
#include <fmt/format.h>

#include "base/limits.hh"
#include "control/config_json.hh"
#include "import/windows_cluster.hh"

namespace nlb::import {
namespace {

// Foreign text must stay within its comment.
std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

template <typename List, typename Text>
std::string list_of(const List& list, Text text) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "" : ", ") + quoted(text(item));
  return "[" + out + "]";
}

std::string vip_text(const Vip& vip) {
  return vip.address.text() + (vip.prefix_length ? "/" + std::to_string(*vip.prefix_length) : "");
}

std::string interface_of(const WindowsHost& host, const Options& options) {
  for (const auto& [key, name] : options.interfaces)
    if (key == std::to_string(host.id) || (!host.name.empty() && same_word(key, host.name))) return name;
  return options.interface.empty() ? kInterfaceToFillIn : options.interface;
}

void note_what_no_export_has(const WindowsCluster& cluster, const WindowsHost& host,
                             const std::string& interface, std::vector<Note>& notes) {
  if (interface == kInterfaceToFillIn)
    notes.push_back(
        {host.place,
         "[host] interface: name the Linux interface" +
             (host.interface.empty() ? std::string() : "; on Windows it was \"" + host.interface + "\"")});
  notes.push_back({"", "[cluster] key_file: Windows NLB signs nothing. Make a key with `nlb keygen " +
                           cluster.name + ".key` and copy it to every host"});
  if (!host.dedicated.empty()) {
    std::string all;
    for (const auto& address : host.dedicated) all += (all.empty() ? "" : ", ") + address;
    notes.push_back({host.place, "dedicated IP " + all + ": stays with the system's network configuration"});
  }
  if (!cluster.period_ms && !cluster.tolerance)
    notes.push_back(
        {"",
         "[heartbeat]: Windows NLB's 1000 ms × 5 was not carried over; nlbd's default, 50 ms × 10, "
         "finds a failure within half a second"});
}

std::string rule_section(const WindowsRule& rule) {
  const PortRule& r = rule.rule;
  std::string out = "\n";
  for (const auto& remark : rule.remarks) out += "# " + one_line(rule.place + ": " + remark) + "\n";
  out += "[[port_rule]]\n";
  out += fmt::format("vip       = {}\n", quoted(r.vip ? r.vip->text() : "all"));
  out += fmt::format("ports     = {}\n", quoted(ports_text(r)));
  out += fmt::format("protocol  = {}\n", quoted(name_of(r.protocol)));
  out += fmt::format("mode      = {}\n", quoted(name_of(r.mode)));
  if (r.mode == FilteringMode::single) out += fmt::format("priority  = {}\n", r.handling_priority);
  if (r.mode != FilteringMode::multiple) return out;
  out += fmt::format("affinity  = {}\n", quoted(name_of(r.affinity)));
  out += fmt::format("weight    = {}\n", r.weight ? std::to_string(*r.weight) : quoted("equal"));
  if (r.timeout_s != 0) out += fmt::format("timeout_s = {}\n", r.timeout_s);
  return out;
}

std::string heading(const WindowsCluster& cluster, const WindowsHost& host, const std::vector<Note>& notes) {
  std::string out =
      fmt::format("# Host {}{} of cluster {}, from Windows NLB by `nlb import`. To be looked at:\n", host.id,
                  host.name.empty() ? "" : " (" + one_line(host.name) + ")", cluster.name);
  for (const Note& note : notes)
    out += "#  - " + one_line((note.place.empty() ? "" : note.place + ": ") + note.text) + "\n";
  return out;
}

}  // namespace

std::string document_of(const WindowsCluster& cluster, const WindowsHost& host, const Options& options,
                        std::vector<Note>& notes) {
  const std::string interface = interface_of(host, options);
  notes = cluster.notes;
  notes.insert(notes.end(), host.notes.begin(), host.notes.end());
  note_what_no_export_has(cluster, host, interface, notes);
  std::string out = heading(cluster, host, notes) + "\n[cluster]\n";
  out += fmt::format("name     = {}\n", quoted(cluster.name));
  out += fmt::format("vips     = {}\n", list_of(cluster.vips, vip_text));
  out += fmt::format("mode     = {}\n", quoted(name_of(cluster.mode)));
  out += fmt::format("key_file = {}\n", quoted(cluster.name + ".key"));
  out += fmt::format("\n[host]\nid            = {}\n", host.id);
  out += fmt::format("interface     = {}\n", quoted(interface));
  out += fmt::format("initial_state = {}\n", quoted(name_of(host.initial_state)));
  out += fmt::format("persist       = {}\n",
                     list_of(host.persist, [](InitialState state) { return std::string(name_of(state)); }));
  if (cluster.period_ms || cluster.tolerance) {
    out += "\n# Tuned on Windows, where the default is 1000 ms × 5.\n[heartbeat]\n";
    out += fmt::format("period_ms = {}\n", cluster.period_ms.value_or(1000));
    out += fmt::format("tolerance = {}\n", cluster.tolerance.value_or(5));
  }
  for (const WindowsRule& rule : host.rules) out += rule_section(rule);
  return out;
}

}  // namespace nlb::import
