// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/config_sections.hh"

#include <algorithm>

#include "base/limits.hh"
#include "vmswitch/config_values.hh"

namespace nlb::vmswitch {
namespace {

constexpr std::size_t kMaxAddresses = 64, kMaxListedMacs = 64;
constexpr uint32_t kMaxStormPps = 100'000'000, kMaxLearnedMacs = 4096, kMaxRecoverS = 86400;
constexpr const char* kHostsAllowed = "a list of 1 to 64 host ids, each 1..64";
constexpr const char* kVmAllowed =
    "1 to 64 letters, digits, \"-\", \"_\" and \".\", not beginning with \".\"";

void read_hosts(ConfigSection& section, DeclaredCluster& cluster) {
  const auto* list = section.list("hosts", kHostsAllowed);
  if (list == nullptr) return;
  if (list->items.empty()) section.complain("hosts", std::string("is empty; allowed: ") + kHostsAllowed);
  for (const auto& item : list->items) {
    const bool good = item.kind == TomlNode::Kind::integer && item.integer >= 1 &&
                      item.integer <= static_cast<int64_t>(kMaxHosts);
    if (!good) {
      section.problems().add(item.line, "hosts holds " + item.describe() + "; allowed: " + kHostsAllowed);
    } else if (const HostSet bit = bit_of(static_cast<HostId>(item.integer)); (cluster.hosts & bit) != 0) {
      section.problems().add(
          item.line, "hosts holds " + std::to_string(item.integer) + " twice; allowed: each host id once");
    } else {
      cluster.hosts |= bit;
    }
  }
}

// A key of another type is an error: whoever wrote it expects something of it.
void reject_keys_of_other_types(ConfigSection& section, const DeclaredCluster& cluster) {
  const auto reject = [&](const char* key, const char* where) {
    if (section.has(key))
      section.complain(key, std::string("does not go with type \"") + name_of(cluster.type) +
                                "\"; allowed: only with type " + where);
  };
  const bool virtual_router = cluster.type == ClusterType::vrrp || cluster.type == ClusterType::carp;
  if (cluster.type != ClusterType::nlb)
    for (const char* key : {"mode", "hosts"}) reject(key, "\"nlb\"");
  if (!virtual_router) reject("vrid", "\"vrrp\" or \"carp\"");
  if (cluster.type != ClusterType::macs) reject("macs", "\"macs\"");
}

void require_nonempty(ConfigSection& section, const char* key, bool empty, const char* allowed) {
  section.require(key, allowed);
  const auto* node = section.any(key);
  if (empty && node != nullptr && node->kind == TomlNode::Kind::array && node->items.empty())
    section.complain(key, std::string("is empty; allowed: ") + allowed);
}

void require_keys_of_type(ConfigSection& section, const DeclaredCluster& cluster) {
  if (cluster.type != ClusterType::macs)
    require_nonempty(section, "vips", cluster.vips.empty(), "a list of 1 to 64 unicast IP addresses");
  if (cluster.type == ClusterType::nlb) section.require("hosts", kHostsAllowed);
  if (cluster.type == ClusterType::vrrp || cluster.type == ClusterType::carp)
    section.require("vrid", "1..255");
  if (cluster.type == ClusterType::macs)
    require_nonempty(section, "macs", cluster.macs.empty(), "a list of 1 to 64 unicast MAC addresses");
}

std::string read_vm(ConfigSection& section, const char* key) {
  const auto text = section.text(key, kVmAllowed);
  if (text && !is_vm_name(*text)) section.complain(key, "is \"" + *text + "\"; allowed: " + kVmAllowed);
  return text.value_or("");
}

void read_membership(ConfigSection& section, GuestPort& port, PortKeys keys) {
  port.mac_spoofing = section
                          .choice<MacSpoofing>("mac_spoofing", {{"off", MacSpoofing::off},
                                                                {"cluster", MacSpoofing::cluster},
                                                                {"on", MacSpoofing::on}})
                          .value_or(port.mac_spoofing);
  port.cluster = read_cluster_name(section, "cluster").value_or("");
  port.host_id = static_cast<HostId>(section.number("host_id", 1, kMaxHosts).value_or(0));
  if (keys == PortKeys::some) return;
  if (port.mac_spoofing == MacSpoofing::cluster && !section.has("cluster"))
    section.complain("mac_spoofing", "\"cluster\" needs a cluster; allowed: also a line cluster = \"NAME\"");
  else if (section.has("host_id") && !section.has("cluster"))
    section.complain("host_id", "needs a cluster; allowed: also a line cluster = \"NAME\"");
}

// What only an adapter with spoofing "on" has. Said in the file that chose another setting, it is a mistake;
// left over in the main file while vmswitch.d chose another setting, it waits until the setting comes back.
void read_learning(ConfigSection& section, GuestPort& port, PortKeys keys) {
  const bool on = port.mac_spoofing == MacSpoofing::on;
  const auto max_macs = section.number("max_macs", 0, kMaxLearnedMacs);
  const bool sticky = section.flag("sticky").value_or(false);
  const auto reject = [&](const char* key, const char* allowed) {
    if (&section.problems_of(key) == &section.problems_of("mac_spoofing"))
      section.complain(key, std::string("goes only with mac_spoofing \"on\"; allowed with \"") +
                                name_of(port.mac_spoofing) + "\": " + allowed);
  };
  port.max_macs = on ? max_macs.value_or(0) : 1;
  port.sticky = on && sticky;
  if (keys == PortKeys::some && !section.has("mac_spoofing")) return;
  if (!on && max_macs && *max_macs != 1) reject("max_macs", "1, or no max_macs");
  if (!on && sticky) reject("sticky", "false, or no sticky");
  if (port.sticky && port.max_macs == 0 && keys != PortKeys::some)
    section.complain("sticky", "needs a limit; allowed: also a line max_macs = 1..4096");
}

void read_limits(ConfigSection& section, GuestPort& port, PortKeys keys) {
  read_learning(section, port, keys);
  port.storm_limit_pps = section.number("storm_limit_pps", 0, kMaxStormPps).value_or(0);
  port.violation = section
                       .choice<ViolationAction>("violation", {{"drop", ViolationAction::drop},
                                                              {"report", ViolationAction::report},
                                                              {"shutdown", ViolationAction::shutdown}})
                       .value_or(port.violation);
  port.recover_s = section.number("recover_s", 1, kMaxRecoverS).value_or(port.recover_s);
}

}  // namespace

GuardedSwitch read_switch(ConfigSection& section) {
  GuardedSwitch result;
  section.require("bridge", kBridgeAllowed);
  result.bridge = read_interface(section, "bridge").value_or("");
  if (!result.bridge.empty() && !is_nameable_bridge(result.bridge))
    section.complain("bridge", "is \"" + result.bridge + "\"; allowed: " + kBridgeAllowed);
  result.uplinks = read_interfaces(section, "uplinks");
  if (std::find(result.uplinks.begin(), result.uplinks.end(), result.bridge) != result.uplinks.end() &&
      !result.bridge.empty())
    section.complain("uplinks",
                     "holds the bridge " + result.bridge + " itself; allowed: ports of the bridge");
  result.unknown_ports = section
                             .choice<UnknownPorts>("unknown_ports", {{"deny", UnknownPorts::deny},
                                                                     {"sticky", UnknownPorts::sticky},
                                                                     {"allow", UnknownPorts::allow}})
                             .value_or(result.unknown_ports);
  result.require_stopped = section.flag("require_stopped").value_or(result.require_stopped);
  result.policy = section
                      .choice<SwitchPolicy>(
                          "policy", {{"enforce", SwitchPolicy::enforce}, {"audit", SwitchPolicy::audit}})
                      .value_or(result.policy);
  result.announce = section.flag("announce").value_or(result.announce);
  result.steering = section.flag("steering").value_or(result.steering);
  if (result.steering && !result.announce)
    section.complain("steering", "needs announce = true: members are told there that the switch steers");
  result.fence_notice = section.flag("fence_notice").value_or(result.fence_notice);
  if (result.fence_notice && (!result.announce || result.policy == SwitchPolicy::audit))
    section.complain("fence_notice",
                     "needs announce = true and policy = \"enforce\": members are asked there, "
                     "and a port is fenced that passes nothing");
  section.reject_unknown_keys();
  return result;
}

DeclaredCluster read_declared_cluster(ConfigSection& section) {
  DeclaredCluster cluster;
  section.require("name", kNameAllowed);
  cluster.name = read_cluster_name(section, "name").value_or("");
  const auto type = section.choice<ClusterType>("type", {{"nlb", ClusterType::nlb},
                                                         {"vrrp", ClusterType::vrrp},
                                                         {"carp", ClusterType::carp},
                                                         {"macs", ClusterType::macs}});
  section.require("type", "\"nlb\", \"vrrp\", \"carp\" or \"macs\"");
  cluster.type = type.value_or(cluster.type);
  cluster.vips = read_addresses(section, "vips", kMaxVips);
  cluster.mode = section
                     .choice<ClusterMode>("mode", {{"unicast", ClusterMode::unicast},
                                                   {"multicast", ClusterMode::multicast},
                                                   {"igmp", ClusterMode::igmp}})
                     .value_or(cluster.mode);
  read_hosts(section, cluster);
  cluster.vrid = static_cast<uint8_t>(section.number("vrid", 1, 255).value_or(0));
  cluster.macs = read_macs(section, "macs", kMaxListedMacs);
  cluster.vlan = read_vlan(section);
  if (type) {
    reject_keys_of_other_types(section, cluster);
    require_keys_of_type(section, cluster);
  }
  section.reject_unknown_keys();
  return cluster;
}

GuestPort read_port(ConfigSection& section, PortKeys keys) {
  GuestPort port;
  section.require("vm", kVmAllowed);
  port.vm = read_vm(section, "vm");
  port.adapter = read_vm(section, "adapter");
  if (keys == PortKeys::all) section.require("interface", kInterfaceAllowed);
  port.interface = read_interface(section, "interface").value_or("");
  if (keys == PortKeys::all) section.require("mac", kMacAllowed);
  port.mac = read_mac(section, "mac").value_or(MacAddress{});
  port.addresses_given = section.has("addresses");
  port.addresses = read_addresses(section, "addresses", kMaxAddresses);
  read_membership(section, port, keys);
  port.vlan = read_vlan(section);
  port.dhcp_guard = section.flag("dhcp_guard").value_or(false);
  port.router_guard = section.flag("router_guard").value_or(false);
  read_limits(section, port, keys);
  section.reject_unknown_keys();
  return port;
}

}  // namespace nlb::vmswitch
