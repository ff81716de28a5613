// SPDX-License-Identifier: Apache-2.0
// What a lab looks like: how many nodes, their names and addresses, the cluster they form, where files lie.
// Everything that another command needs to know later is written to ROOT/lab.json.
//
//   nlb-host1…N    10.77.0.11…   eth0 ── h1…hN ┐
//   nlb-client1…N  10.77.0.201…  eth0 ── c1…cN ├─ bridge nlbsw0 in nlb-switch       VIP 10.77.0.100
//   nlb-gateway    10.77.0.1     eth0 ── gw    ┘
//
// With IPv6, a node has fd77::N beside 10.77.0.N, and the cluster fd77::100 beside 10.77.0.100.
//
// A client may have many more addresses, as if it were a router with networks behind it: the a-th one of
// client k is 10.(80+k).(a mod 250).(1 + a / 250), so that up to 250 are of different /24 networks.
#pragma once

#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb::lab {

inline constexpr const char* kVip = "10.77.0.100";
inline constexpr const char* kGateway = "10.77.0.1";
inline constexpr const char* kVip6 = "fd77::100";
inline constexpr const char* kGateway6 = "fd77::1";
inline constexpr const char* kSwitch = "nlb-switch";
inline constexpr const char* kBridge = "nlbsw0";
inline constexpr unsigned kHttpPort = 80, kUdpPort = 7007;
// The daemons' user: a number that no account has.
inline constexpr unsigned kDaemonUser = 64077;
inline constexpr unsigned kMaxLabMachines = 8;
inline constexpr unsigned kMaxLabHosts = 64, kMaxLabClients = 50, kMaxClientAddresses = 60000;

struct Plan {
  unsigned hosts = 3;
  unsigned clients = 1;
  unsigned client_addresses = 1;  // of each client
  std::string mode = "unicast";
  std::string mac_strategy = "auto";
  std::string affinity = "none";
  std::vector<std::string> weights;  // of hosts 1, 2, …; those not named are "equal"
  unsigned period_ms = 50;
  unsigned tolerance = 10;
  bool ip_forward = false;
  bool ipv6 = false;
  std::string mac_spoofing;     // of the hosts' ports: "off", "cluster", "on"; "" = the switch is not guarded
  bool declare_cluster = true;  // the guard knows the cluster
  bool announce = true;         // the guard tells its guests their policy
  bool proof = true;            // hosts prove the path before they bind
  bool machines = false;        // hosts are virtual machines
  bool stand_in = false;  // no nlbd: host 1 alone has the VIP, added by hand (for tests of the lab itself)
};

// A machine of the lab: "host2", "client1", "gateway" (or "switch", which has no port of its own).
struct Node {
  std::string name;
  std::string network;  // the namespace
  std::string port;     // its port at the switch
  std::string mac;
  std::vector<std::string> addresses;  // the first with its prefix length, the rest /32
  unsigned host_id = 0;                // 0: not a host
};

[[nodiscard]] std::string address6_of(const Node& node);  // without prefix length, which is 64
[[nodiscard]] Node host_node(unsigned id);
[[nodiscard]] Node client_node(const Plan& plan, unsigned number);
[[nodiscard]] Node gateway_node();
[[nodiscard]] std::vector<Node> nodes_of(const Plan& plan);
// The virtual machine that host N is: "web2".
[[nodiscard]] std::string machine_of(unsigned host);
// "host2", "nlb-host2", "web2" or "2"; "client1", "gateway", "switch".
[[nodiscard]] Result<Node> find_node(const Plan& plan, const std::string& name);

[[nodiscard]] std::string lab_root();    // NLB_LAB_ROOT or /run/opennlb-lab
[[nodiscard]] std::string state_root();  // what survives a host's reboot
[[nodiscard]] std::string runtime_directory(unsigned host);
[[nodiscard]] std::string state_directory(unsigned host);
[[nodiscard]] std::string pin_directory(unsigned host);  // where nlbd pins what it loads
[[nodiscard]] std::string pin_directory_of(const std::string& runtime_directory);
[[nodiscard]] std::string control_socket(unsigned host);

[[nodiscard]] std::string weight_of(const Plan& plan, unsigned host);
[[nodiscard]] std::string configuration_of(const Plan& plan, unsigned host);  // the text of web.toml

[[nodiscard]] Result<void> save_plan(const Plan& plan);
[[nodiscard]] Result<Plan> load_plan();  // fails when no lab is up

}  // namespace nlb::lab
