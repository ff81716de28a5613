// SPDX-License-Identifier: Apache-2.0
// From what was declared, and which interfaces are there now, to what the kernel's maps are to hold
// (<nlb/abi/guard.h>). Pure: the daemon computes it anew after every change and writes the difference.
//
// Sets are keyed by VLAN. On a bridge that filters VLANs it is the one that the bridge puts a frame into,
// however it came: a tag with the number of a port's PVID is no tag. What was declared without a VLAN, or for
// a port without one, holds in those VLANs that ports have untagged; elsewhere in VLAN 0.
//
// A MAC or address is guarded while its port is here. That of a VM which is not here is nobody's: it may live
// on another hypervisor and be heard on the uplink.
#pragma once

#include <nlb/abi/guard.h>
#include <nlb/abi/steering.h>

#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "linux/bridge.hh"
#include "vmswitch/switch_config.hh"

namespace nlb::vmswitch {

struct BridgePort {
  uint32_t ifindex = 0;
  std::string interface;
  std::string bridge;
  std::optional<PortVlans> vlans = {};  // where the bridge filters VLANs

  [[nodiscard]] bool same_place(const BridgePort& other) const {
    return ifindex == other.ifindex && interface == other.interface && bridge == other.bridge;
  }
};

// Numbers of clusters in the kernel's maps. A cluster keeps its number for as long as it is declared: if it
// were renumbered, its MACs and its members would for a moment not fit together.
class ClusterNumbers {
 public:
  void follow(const std::vector<DeclaredCluster>& clusters);
  [[nodiscard]] uint16_t of(const std::string& name) const;  // 0 = none
  [[nodiscard]] std::string name_of(uint16_t number) const;  // "" = none
  // "NUMBER NAME" lines, so that the next daemon goes on with them; what is no such line is passed over.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static ClusterNumbers parse(const std::string& text);

 private:
  std::map<std::string, uint16_t> numbers_;
};

// The ABI's keys have no padding: their octets order them.
template <typename T>
struct OctetOrder {
  bool operator()(const T& a, const T& b) const { return std::memcmp(&a, &b, sizeof(T)) < 0; }
};
using PortMap = std::map<uint32_t, nlb_guard_port>;
using MacMap = std::map<nlb_guard_mac_key, nlb_guard_mac, OctetOrder<nlb_guard_mac_key>>;
using AddressMap = std::map<nlb_guard_address_key, nlb_guard_address, OctetOrder<nlb_guard_address_key>>;
using MemberMap =
    std::map<nlb_steering_members_key, nlb_steering_members, OctetOrder<nlb_steering_members_key>>;

struct Policy {
  PortMap ports;  // an interface that is not in it is closed
  MacMap macs;
  AddressMap addresses;
  MemberMap members;                                 // of unicast clusters, on switches that steer
  std::set<std::pair<uint32_t, MacAddress>> pinned;  // (port, MAC) static in the bridge's table
  std::set<MacAddress> never_learned;                // cluster MACs
  std::set<uint32_t> in_groups;                      // ports of members of a cluster whose MAC is a group
};

[[nodiscard]] Policy compile_policy(const SwitchConfig& config, const std::vector<BridgePort>& present,
                                    const ClusterNumbers& numbers);

// Those of both. While ports change, a frame is sent to one member alone only when all of these say so.
[[nodiscard]] MemberMap united(MemberMap sets, const MemberMap& others);

// The switch that guards a bridge, or none.
[[nodiscard]] const GuardedSwitch* switch_of(const SwitchConfig& config, const std::string& bridge);
[[nodiscard]] bool is_uplink(const GuardedSwitch& guarded, const std::string& interface);

// A port of a guarded bridge whose `mac_spoofing` is `cluster`, of a cluster of type nlb.
struct MemberPort {
  const BridgePort& at;
  const GuardedSwitch& guarded;
  const GuestPort& guest;
  uint16_t cluster = 0;  // its number
};
[[nodiscard]] std::vector<MemberPort> member_ports(const SwitchConfig& config,
                                                   const std::vector<BridgePort>& present,
                                                   const ClusterNumbers& numbers);

}  // namespace nlb::vmswitch
