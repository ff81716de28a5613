// SPDX-License-Identifier: Apache-2.0
#include "nlb/first_config.hh"

#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "control/config_file.hh"
#include "control/config_lines.hh"
#include "control/config_section.hh"
#include "control/config_values.hh"
#include "control/durable_file.hh"
#include "linux/adapter.hh"
#include "nlb/output.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;

// Those whose subnet holds the first VIP: where clients of that address are, a host has an address, too.
std::vector<std::string> interfaces_beside(const IpAddress& vip) {
  std::vector<std::string> found;
  using Index = struct if_nameindex;  // also the name of a function
  const std::unique_ptr<Index, void (*)(Index*)> all(if_nameindex(), if_freenameindex);
  for (const auto* entry = all.get(); entry != nullptr && entry->if_index != 0; ++entry) {
    const auto adapter = read_adapter(entry->if_name);
    if (!adapter || !link_objections(*adapter).empty()) continue;
    if (has_subnet_of(*adapter, vip)) found.push_back(adapter->name);
  }
  return found;
}

Result<std::string> chosen_interface(const Invocation& invocation, const Vip& first) {
  if (!invocation.interface.empty()) {
    if (if_nametoindex(invocation.interface.c_str()) != 0) return invocation.interface;
    return fail("there is no interface " + invocation.interface + " here", kUsage);
  }
  const auto found = interfaces_beside(first.address);
  if (found.size() == 1) return found.front();
  return fail(found.empty() ? "no interface here has an address in a subnet of " + first.address.text() +
                                  "; give it one, or name the interface with --interface"
                            : "several interfaces have an address in a subnet of " + first.address.text() +
                                  "; name one with --interface: " + joined(found),
              kUsage);
}

}  // namespace

std::string text_of(const FirstConfig& config) {
  std::string vips;
  for (const auto& vip : config.vips) vips += (vips.empty() ? "" : ", ") + quoted_toml(vip);
  std::string out = fmt::format(
      "# OpenNLB cluster {0}, host {1}. Every key: man nlbd.toml. After a change: nlb reload.\n\n"
      "[cluster]  # the same on every host\n"
      "name     = {2}\n"
      "vips     = [{3}]  # the first one names the cluster's MAC address\n"
      "mode     = {4}  # unicast | multicast | igmp\n"
      "key_file = {5}  # from `nlb keygen`, the same file on every host\n\n"
      "[host]  # this host's own\n"
      "id        = {1}  # 1..64, another on each host; the lowest one there is the default host\n"
      "interface = {6}\n\n"
      "[[port_rule]]\n",
      config.name, config.id, quoted_toml(config.name), vips,
      quoted_toml(config.mode.empty() ? "unicast" : config.mode), quoted_toml(config.key_file),
      quoted_toml(config.interface));
  out += fmt::format("ports    = {}\nprotocol = {}  # tcp | udp | both\n",
                     quoted_toml(config.ports.empty() ? "0-65535" : config.ports),
                     quoted_toml(config.ports.empty() ? "both" : "tcp"));
  return out + "affinity = \"single\"  # none | single | network: what of a client decides on its host\n";
}

Result<Json> init(const Invocation& invocation) {
  if (!is_cluster_name(invocation.name))
    return fail("\"" + invocation.name + "\" is no name; allowed: 1 to 32 letters, digits, \"-\" and \"_\"",
                kUsage);
  const auto first = parse_vip(invocation.words.front());
  if (!first) return fail("\"" + invocation.words.front() + "\" is not an IP address", kUsage);
  const auto interface = chosen_interface(invocation, *first);
  if (!interface) return tl::unexpected(interface.error());
  const std::string base = invocation.directory + "/" + invocation.name, file = base + ".toml";
  const std::string text =
      text_of({invocation.name, *interface, invocation.mode, invocation.ports, base + ".key",
               invocation.words, invocation.host_id == 0 ? 1 : invocation.host_id});
  const auto parsed = parse_config(text, file);
  if (!parsed) return fail(parsed.error().front().message, kUsage);
  const auto objections = preflight(parsed->config);
  if (!objections.empty()) return fail(objections.front(), kFailed);
  if (std::filesystem::exists(file)) return fail(file + " is there already; it is not written over", kFailed);
  std::error_code ignored;  // the next line says what is wrong
  std::filesystem::create_directories(invocation.directory, ignored);
  if (auto written = write_durably(file, text); !written)
    return tl::unexpected(
        Error{written.error().message, written.error().code == EACCES ? int{kNotPermitted} : int{kFailed}});
  if (auto given = give_to_daemon(file); !given) return tl::unexpected(given.error());
  const bool has_key = std::filesystem::exists(parsed->config.key_file);
  return Json{{"schema", 1},
              {"file", file},
              {"interface", *interface},
              {"message", file + " written, for interface " + *interface + ". Next: " +
                              (has_key ? "start nlbd: systemctl enable --now nlbd@" + invocation.name
                                       : "the key: nlb --cluster " + invocation.name + " keygen")}};
}

}  // namespace nlb
