// SPDX-License-Identifier: Apache-2.0
// What an administrator declared about the guarded switches of a hypervisor: bridges, clusters that guests
// may form, and the guests' ports. Three sources: the directory vmswitch.d, one file a VM, written by
// `nlb vmswitch set`; vmswitch.toml beside it; and the definitions of running machines (guest_machine.hh).
// The first that gives a key to a port wins, key by key; each port remembers who set it.
//
// The files are an administrator's: one problem in them, and all of them are refused. A machine's definition
// is written by whoever may define machines, and may not stop the switch: what is wrong with it costs that
// machine its settings, or closes its port.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/net.hh"
#include "control/config_problem.hh"
#include "core/config.hh"

namespace nlb::vmswitch {

enum class UnknownPorts : uint8_t { deny, sticky, allow };
enum class SwitchPolicy : uint8_t { enforce, audit };
enum class ClusterType : uint8_t { nlb, vrrp, carp, macs };
enum class MacSpoofing : uint8_t { off, cluster, on };
enum class ViolationAction : uint8_t { drop, report, shutdown };

struct GuardedSwitch {
  std::string bridge;
  std::vector<std::string> uplinks;
  UnknownPorts unknown_ports = UnknownPorts::deny;
  bool require_stopped = true;
  SwitchPolicy policy = SwitchPolicy::enforce;
  bool announce = true;       // guests are told the policy of their port
  bool steering = false;      // a cluster's frames go only to those members that have announced their bucket
  bool fence_notice = false;  // a member's port that goes down is fenced, and the other members are told

  bool operator==(const GuardedSwitch&) const = default;
};

struct DeclaredCluster {
  std::string name;
  ClusterType type = ClusterType::nlb;
  std::vector<IpAddress> vips;  // the first one names the cluster MAC of type nlb
  ClusterMode mode = ClusterMode::unicast;
  HostSet hosts = 0;             // type nlb
  uint8_t vrid = 0;              // types vrrp and carp
  std::vector<MacAddress> macs;  // type macs
  uint16_t vlan = 0;             // 0 = untagged

  bool operator==(const DeclaredCluster&) const = default;
};

struct GuestPort {
  std::string vm, adapter;  // adapter "" = the VM's only one
  std::string interface;
  MacAddress mac;
  std::vector<IpAddress> addresses;
  bool addresses_given = false;  // absent = not checked
  MacSpoofing mac_spoofing = MacSpoofing::off;
  std::string cluster;  // the cluster that it belongs to, or is to belong to once mac_spoofing is "cluster"
  HostId host_id = 0;
  uint16_t vlan = 0;
  bool dhcp_guard = false, router_guard = false;
  uint32_t storm_limit_pps = 0;  // 0 = no limit
  uint32_t max_macs = 1;         // with mac_spoofing "on" any number; 0 = no limit
  bool sticky = false;
  ViolationAction violation = ViolationAction::drop;
  uint32_t recover_s = 300;
  std::string source;     // the file that says mac_spoofing, or declares the port
  std::string refused;    // why its machine's definition cannot be followed: the port stays closed; else ""
  bool incoming = false;  // it still runs on another host: its addresses are not here yet

  [[nodiscard]] std::string title() const { return adapter.empty() ? vm : vm + "/" + adapter; }
  bool operator==(const GuestPort&) const = default;
};

// What is wrong with the definition of a running machine.
struct GuestComplaint {
  std::string vm, text;
  bool operator==(const GuestComplaint&) const = default;
};

struct SwitchConfig {
  std::string file;
  std::vector<GuardedSwitch> switches;
  std::vector<DeclaredCluster> clusters;
  std::vector<GuestPort> ports;
  std::vector<GuestPort> waiting;  // settings in vmswitch.d for adapters that nobody has given an interface
  std::vector<GuestComplaint> complaints;
  std::optional<Endpoint> metrics_listen;  // [metrics]; nullopt = nowhere

  [[nodiscard]] const DeclaredCluster* cluster(std::string_view name) const;
  [[nodiscard]] const GuestPort* port_on(std::string_view interface) const;
  bool operator==(const SwitchConfig&) const = default;
};

struct ConfigText {
  std::string path, text;
};

struct SwitchTexts {
  ConfigText main;
  std::vector<ConfigText> overrides;  // the files of vmswitch.d
  std::vector<ConfigText> guests;     // of running machines, those that started first before the others
};

using SwitchConfigResult = tl::expected<SwitchConfig, std::vector<ConfigProblem>>;
// All problems of all files, not only the first.
[[nodiscard]] SwitchConfigResult parse_switch_config(const SwitchTexts& texts);
[[nodiscard]] SwitchConfigResult parse_switch_config(const ConfigText& main,
                                                     const std::vector<ConfigText>& overrides);
// The file and vmswitch.d beside it; an absent directory is an empty one. Without the machines that run.
[[nodiscard]] tl::expected<SwitchTexts, std::vector<ConfigProblem>> read_switch_texts(
    const std::string& config_path);
[[nodiscard]] SwitchConfigResult read_switch_config(const std::string& path);
// The texts as they are now, so that a change can be tried before it is written.
[[nodiscard]] tl::expected<std::vector<ConfigText>, std::vector<ConfigProblem>> read_overrides(
    const std::string& config_path);
[[nodiscard]] std::string overrides_directory(const std::string& config_path);

[[nodiscard]] const char* name_of(UnknownPorts value);
[[nodiscard]] const char* name_of(SwitchPolicy value);
[[nodiscard]] const char* name_of(ClusterType value);
[[nodiscard]] const char* name_of(MacSpoofing value);
[[nodiscard]] const char* name_of(ViolationAction value);

// A virtual machine's name: 1 to 64 letters, digits, "-", "_" and ".", not beginning with "."; it is a file's
// name in vmswitch.d.
[[nodiscard]] bool is_vm_name(std::string_view text);

}  // namespace nlb::vmswitch
