// SPDX-License-Identifier: Apache-2.0
// Everything that a diagnosis rests on, as values: gathered once from this machine (gather.hh), or recorded
// in a test. What could not be learnt is told apart from what is bad: its `…_trouble` says why.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config.hh"
#include "datapath/kernel_features.hh"
#include "linux/adapter.hh"
#include "linux/arp_question.hh"
#include "linux/capabilities.hh"
#include "linux/firewall.hh"
#include "linux/network_manager.hh"
#include "linux/platform.hh"
#include "linux/socket_table.hh"
#include "wire/policy_announcement.hh"

namespace nlb::doctor {

struct DaemonFacts {  // as nlbd tells
  std::string state, reason_text, strategy, bind, bind_reason, evidence, remedy, mac_expected;
  unsigned members = 0;
  std::map<std::string, uint64_t> refused;  // heartbeats by reason, without the ordinary ones
  std::vector<std::string> differences;     // said since the last convergence
};

struct SystemFacts {
  std::vector<MissingCapability> missing_capabilities;
  KernelFeatures kernel;
  std::string realtime_trouble;  // "" = SCHED_FIFO was had
  std::string clock_source;
};

struct InterfaceFacts {
  AdapterFacts adapter;
  HookFacts hooks;
  PlatformFinding platform;
  ManagerFacts managers;
  FirewallFacts firewall;
  std::string firewall_trouble;
  bool promiscuous = false;
  bool leased_address = false;                 // an IPv4 address with a lifetime: DHCP
  bool in_group = false;                       // modes multicast and igmp: the group is joined
  std::map<std::string, std::string> sysctls;  // "rp_filter": "1"; absent = cannot be read
  std::optional<ArpAnswers> answers;           // of gateway and VIPs
  std::string arp_trouble;
  // The filter drops a stranger's answer before anybody sees it, and counts it: how many while it was asked.
  std::optional<uint64_t> conflicts_counted;
  std::optional<wire::PolicyAnnouncement> switch_policy;  // none was heard: no guard of ours, or a silent one
  std::string switch_trouble;
};

struct Facts {
  SystemFacts system;
  std::string config_path, config_trouble;  // trouble: no file to look at
  std::vector<std::string> config_problems, key_problems;
  std::optional<Config> config;
  std::string interface_trouble;
  std::optional<InterfaceFacts> interface;
  std::vector<SocketEntry> sockets;
  std::string daemon_trouble;
  std::optional<DaemonFacts> daemon;
};

}  // namespace nlb::doctor
