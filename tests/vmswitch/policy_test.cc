// SPDX-License-Identifier: Apache-2.0
// What the kernel's maps are to hold for a declared switch, entry by entry.
#include "vmswitch/policy.hh"

#include <gtest/gtest.h>

#include "vmswitch/fencing.hh"
#include "vmswitch/steering.hh"

namespace nlb::vmswitch {
namespace {

constexpr const char* kText = R"([[switch]]
bridge = "br0"
uplinks = ["eno1"]
[[cluster]]
name = "web"
type = "nlb"
vips = ["10.77.0.100", "2001:db8::100"]
hosts = [1, 2]
[[cluster]]
name = "gate"
type = "vrrp"
vips = ["10.77.0.200", "2001:db8::200"]
vrid = 51
vlan = 7
[[cluster]]
name = "list"
type = "macs"
vips = ["10.77.0.210"]
macs = ["02:00:00:00:00:21", "02:00:00:00:00:22"]
[[port]]
vm = "web1"
interface = "tap1"
mac = "52:54:00:00:00:01"
addresses = ["10.77.0.11"]
mac_spoofing = "cluster"
cluster = "web"
host_id = 1
dhcp_guard = true
[[port]]
vm = "web2"
interface = "tap2"
mac = "52:54:00:00:00:02"
cluster = "web"
host_id = 2
violation = "shutdown"
[[port]]
vm = "lab1"
interface = "tap3"
mac = "52:54:00:00:00:03"
addresses = ["10.77.0.13", "fe80::13"]
mac_spoofing = "on"
max_macs = 3
sticky = true
)";

const std::vector<BridgePort> kPresent = {{10, "eno1", "br0"}, {11, "tap1", "br0"}, {12, "tap2", "br0"},
                                          {13, "tap3", "br0"}, {14, "tap4", "br0"}, {15, "tap5", "virbr0"}};

SwitchConfig config(const std::string& more_of_switch = "") {
  std::string text = kText;
  text.insert(text.find("uplinks"), more_of_switch);
  auto read = parse_switch_config({"f", text}, {});
  EXPECT_TRUE(read.has_value()) << text_of(read.error());
  return *read;
}

Policy compiled(const SwitchConfig& of, const std::vector<BridgePort>& present = kPresent) {
  ClusterNumbers numbers;
  numbers.follow(of.clusters);
  return compile_policy(of, present, numbers);
}

MacAddress mac(const char* text) {
  return *MacAddress::parse(text);
}
MacAddress from(const __u8 (&octets)[6]) {
  MacAddress result;
  std::copy(octets, octets + 6, result.octets.begin());
  return result;
}

const nlb_guard_mac* owner_of(const Policy& policy, uint16_t vlan, const char* text, uint16_t bridge = 1) {
  nlb_guard_mac_key key{};
  key.bridge = bridge;
  key.vlan = vlan;
  const auto address = mac(text);
  std::copy(address.octets.begin(), address.octets.end(), key.mac);
  const auto found = policy.macs.find(key);
  return found == policy.macs.end() ? nullptr : &found->second;
}

const nlb_guard_address* binding_of(const Policy& policy, uint16_t vlan, const char* text) {
  nlb_guard_address_key key{};
  key.bridge = 1;
  key.vlan = vlan;
  const auto address = *IpAddress::parse(text);
  std::copy(address.octets.begin(), address.octets.end(), key.address);
  const auto found = policy.addresses.find(key);
  return found == policy.addresses.end() ? nullptr : &found->second;
}

TEST(Policy, AMemberHasItsMaskedMacAndItsCluster) {
  const auto policy = compiled(config());
  const auto& port = policy.ports.at(11);
  EXPECT_EQ(port.role, NLB_GUARD_ROLE_GUEST);
  EXPECT_EQ(port.spoofing, NLB_GUARD_SPOOFING_CLUSTER);
  EXPECT_EQ(port.cluster, 1);
  EXPECT_EQ(port.host_id, 1);
  EXPECT_EQ(from(port.mac).text(), "52:54:00:00:00:01");
  EXPECT_EQ(from(port.masked_mac).text(), "02:01:0a:4d:00:64");
  EXPECT_EQ(port.flags,
            static_cast<uint32_t>(NLB_GUARD_PORT_DHCP_GUARD | NLB_GUARD_PORT_ADDRESSES_SET |
                                  NLB_GUARD_PORT_ANY_LINK_LOCAL | NLB_GUARD_PORT_CLUSTER_DEDICATED));
  EXPECT_EQ(owner_of(policy, 0, "02:01:0a:4d:00:64")->ifindex, 11U);
  EXPECT_EQ(owner_of(policy, NLB_GUARD_ANY_VLAN, "52:54:00:00:00:01")->cluster, 1);
  EXPECT_EQ(from(binding_of(policy, 0, "10.77.0.11")->other_mac).text(), "02:01:0a:4d:00:64");
  EXPECT_EQ(binding_of(policy, 0, "10.77.0.11")->cluster, 1) << "others may answer it at the cluster MAC";
}

// Under "off" a membership is only prepared: `nlb vmswitch set … cluster` puts it in force.
// VLAN 1 is what an unconfigured port has; tap2 stands in another, and sends another's untagged, too.
TEST(Policy, OnABridgeThatFiltersVlansSetsAreKeyedByWhatTheBridgeMakesOfAFrame) {
  auto present = kPresent;
  for (auto& port : present) port.vlans = PortVlans{1, {1}};
  present[2].vlans = PortVlans{20, {20, 30}};
  const auto policy = compiled(config(), present);
  EXPECT_EQ(policy.ports.at(10).vlan, 1);
  EXPECT_EQ(policy.ports.at(11).vlan, 1);
  EXPECT_EQ(policy.ports.at(12).vlan, 20);
  EXPECT_EQ(binding_of(policy, 0, "10.77.0.11"), nullptr);
  EXPECT_EQ(binding_of(policy, 1, "10.77.0.11")->ifindex, 11U);
  EXPECT_EQ(binding_of(policy, 20, "10.77.0.11"), nullptr) << "not there";
  for (const uint16_t vlan : std::initializer_list<uint16_t>{1, 20, 30}) {
    EXPECT_EQ(binding_of(policy, vlan, "10.77.0.100")->kind, NLB_GUARD_ADDRESS_VIP) << vlan;
    EXPECT_EQ(owner_of(policy, vlan, "02:01:0a:4d:00:64")->ifindex, 11U) << vlan;
  }
  EXPECT_EQ(binding_of(policy, 7, "10.77.0.200")->kind, NLB_GUARD_ADDRESS_VIP) << "declared for VLAN 7";
  EXPECT_EQ(binding_of(policy, 1, "10.77.0.200"), nullptr);
  present[1].vlans = PortVlans{};  // takes nothing without a tag
  EXPECT_EQ(compiled(config(), present).ports.at(11).vlan, 0);
}

TEST(Policy, TheAddressesOfAMachineElsewhereHoldInEveryVlanWithoutATag) {
  std::vector<BridgePort> present = {{10, "eno1", "br0", PortVlans{1, {1}}},
                                     {12, "tap2", "br0", PortVlans{20, {20}}}};
  const auto policy = compiled(config(), present);
  for (const uint16_t vlan : std::initializer_list<uint16_t>{1, 20})
    EXPECT_EQ(binding_of(policy, vlan, "10.77.0.13")->ifindex, 0U) << vlan;
}

TEST(Policy, APortThatIsOffIsNoMember) {
  const auto policy = compiled(config());
  const auto& port = policy.ports.at(12);
  EXPECT_EQ(port.spoofing, NLB_GUARD_SPOOFING_OFF);
  EXPECT_EQ(port.cluster, 0);
  EXPECT_EQ(port.host_id, 0);
  EXPECT_TRUE(from(port.masked_mac).is_zero());
  EXPECT_EQ(port.violation, NLB_GUARD_VIOLATION_SHUTDOWN);
  EXPECT_EQ(port.flags & NLB_GUARD_PORT_ADDRESSES_SET, 0U);
  const auto* masked = owner_of(policy, 0, "02:02:0a:4d:00:64");
  ASSERT_NE(masked, nullptr);
  EXPECT_EQ(masked->ifindex, 0U);
  EXPECT_EQ(masked->host_id, 2);
  EXPECT_EQ(owner_of(policy, NLB_GUARD_ANY_VLAN, "52:54:00:00:00:02")->cluster, 0);
}

TEST(Policy, SpoofingOnBindsItsAddressesFreelyAndLimitsSources) {
  const auto policy = compiled(config());
  const auto& port = policy.ports.at(13);
  EXPECT_EQ(port.spoofing, NLB_GUARD_SPOOFING_ON);
  EXPECT_EQ(port.max_macs, 3U);
  EXPECT_NE(port.flags & NLB_GUARD_PORT_STICKY, 0U);
  // its list names a link-local address, so others are not open to it
  EXPECT_EQ(port.flags & NLB_GUARD_PORT_ANY_LINK_LOCAL, 0U);
  EXPECT_EQ(binding_of(policy, 0, "10.77.0.13")->flags, NLB_GUARD_BIND_ANY);
}

TEST(Policy, ClustersOwnTheirMacsAndVipsInTheirVlan) {
  const auto policy = compiled(config());
  EXPECT_EQ(owner_of(policy, 0, "02:bf:0a:4d:00:64")->kind, NLB_GUARD_MAC_CLUSTER);
  EXPECT_EQ(owner_of(policy, 0, "03:bf:0a:4d:00:64")->kind, NLB_GUARD_MAC_GROUP);
  EXPECT_EQ(from(binding_of(policy, 0, "2001:db8::100")->mac).text(), "02:bf:0a:4d:00:64");
  EXPECT_EQ(policy.never_learned, std::set{mac("02:bf:0a:4d:00:64")});

  EXPECT_EQ(owner_of(policy, 0, "00:00:5e:00:01:33"), nullptr);
  EXPECT_EQ(owner_of(policy, 7, "00:00:5e:00:01:33")->kind, NLB_GUARD_MAC_VIRTUAL);
  EXPECT_NE(owner_of(policy, NLB_GUARD_ANY_VLAN, "00:00:5e:00:01:33"), nullptr) << "one table for all VLANs";
  EXPECT_EQ(from(binding_of(policy, 7, "10.77.0.200")->mac).text(), "00:00:5e:00:01:33");
  EXPECT_EQ(from(binding_of(policy, 7, "2001:db8::200")->mac).text(), "00:00:5e:00:02:33");
  EXPECT_EQ(binding_of(policy, 7, "10.77.0.200")->flags, NLB_GUARD_BIND_OWN);

  EXPECT_EQ(owner_of(policy, 0, "02:00:00:00:00:22")->cluster, 3);
  EXPECT_EQ(binding_of(policy, 0, "10.77.0.210")->flags, NLB_GUARD_BIND_VIRTUAL);
  EXPECT_TRUE(from(binding_of(policy, 0, "10.77.0.210")->mac).is_zero());
}

TEST(Policy, UplinksAndUnknownPorts) {
  const auto value_of_tap4 = [](const std::string& more) { return compiled(config(more)).ports; };
  const auto denied = value_of_tap4("");
  EXPECT_EQ(denied.at(10).role, NLB_GUARD_ROLE_UPLINK);
  EXPECT_FALSE(denied.contains(14));  // no policy: closed
  EXPECT_FALSE(denied.contains(15));  // of no guarded bridge
  const auto sticky = value_of_tap4("unknown_ports = \"sticky\"\n").at(14);
  EXPECT_EQ(sticky.max_macs, 1U);
  EXPECT_NE(sticky.flags & NLB_GUARD_PORT_STICKY, 0U);
  const auto allowed = value_of_tap4("unknown_ports = \"allow\"\n").at(14);
  EXPECT_EQ(allowed.spoofing, NLB_GUARD_SPOOFING_ON);
  EXPECT_EQ(allowed.max_macs, 0U);
}

TEST(Policy, AuditDropsNothingNotEvenFromUnknownPorts) {
  const auto policy = compiled(config("policy = \"audit\"\n"));
  for (const uint32_t ifindex : {10U, 11U, 12U, 13U, 14U})
    EXPECT_NE(policy.ports.at(ifindex).flags & NLB_GUARD_PORT_AUDIT, 0U) << ifindex;
}

TEST(Policy, WhatIsNotHereIsElsewhere) {
  const auto policy = compiled(config(), {{10, "eno1", "br0"}, {11, "tap1", "virbr0"}});
  EXPECT_EQ(policy.ports.size(), 1U);
  EXPECT_EQ(owner_of(policy, NLB_GUARD_ANY_VLAN, "52:54:00:00:00:01")->ifindex, 0U);
  EXPECT_EQ(owner_of(policy, 0, "02:01:0a:4d:00:64")->ifindex, 0U);
  EXPECT_EQ(binding_of(policy, 0, "10.77.0.11")->ifindex, 0U);
  EXPECT_TRUE(policy.pinned.empty());
  EXPECT_NE(binding_of(policy, 0, "10.77.0.100"), nullptr);
}

// A guest that routes between two bridges speaks on each for the other's: a MAC is guarded on its own bridge.
TEST(Policy, EachBridgeHasSetsOfItsOwn) {
  std::string text = kText;
  auto read = parse_switch_config({"f", "[[switch]]\nbridge = \"br9\"\n" + text}, {});
  ASSERT_TRUE(read.has_value()) << text_of(read.error());
  const auto policy = compiled(*read, {{11, "tap1", "br0"}, {12, "tap2", "br9"}});
  EXPECT_EQ(policy.ports.at(11).bridge, 2);
  EXPECT_EQ(policy.ports.at(12).bridge, 1);
  EXPECT_EQ(owner_of(policy, NLB_GUARD_ANY_VLAN, "52:54:00:00:00:01", 2)->ifindex, 11U);
  EXPECT_EQ(owner_of(policy, NLB_GUARD_ANY_VLAN, "52:54:00:00:00:01", 1), nullptr);
  for (const uint16_t bridge : {uint16_t{1}, uint16_t{2}}) {
    EXPECT_NE(owner_of(policy, 0, "02:bf:0a:4d:00:64", bridge), nullptr);
    EXPECT_EQ(owner_of(policy, NLB_GUARD_ANY_VLAN, "52:54:00:00:00:03", bridge)->ifindex, 0U);  // elsewhere
  }
}

TEST(Policy, PinsOwnAndMaskedMacs) {
  const std::set<std::pair<uint32_t, MacAddress>> wanted = {{11, mac("52:54:00:00:00:01")},
                                                            {11, mac("02:01:0a:4d:00:64")},
                                                            {12, mac("52:54:00:00:00:02")},
                                                            {13, mac("52:54:00:00:00:03")}};
  EXPECT_EQ(compiled(config()).pinned, wanted);
}

std::vector<uint32_t> members_of(const MemberMap& members, uint16_t cluster) {
  const auto found = members.find({1, cluster});
  if (found == members.end()) return {};
  return {found->second.ifindex, found->second.ifindex + found->second.count};
}

TEST(Policy, KnowsAllThatGetAClustersFrames) {
  using Ports = std::vector<uint32_t>;
  EXPECT_TRUE(compiled(config()).members.empty()) << "it does not steer";
  const auto policy = compiled(config("steering = true\n"));
  EXPECT_EQ(members_of(policy.members, 1), Ports{11}) << "web2 is declared, but off";
  EXPECT_EQ(from(policy.members.at({1, 1}).mac), mac("02:bf:0a:4d:00:64"));
  EXPECT_EQ(policy.members.size(), 1U) << "the others are no unicast clusters of NLB";
  EXPECT_TRUE(compiled(config("steering = true\n"), {}).members.empty()) << "no port is here";
  auto migrating = config("steering = true\n");
  migrating.ports[1].incoming = true;
  EXPECT_TRUE(members_of(compiled(migrating).members, 1).empty()) << "web2 comes from another host";
  std::string text = kText;
  text.replace(text.find("mac_spoofing = \"on\""), 19, "mac_spoofing = \"on\"\ncluster = \"web\"");
  auto read =
      parse_switch_config({"f", "[[switch]]\nsteering = true\n" + text.substr(text.find('\n') + 1)}, {});
  ASSERT_TRUE(read.has_value()) << text_of(read.error());
  EXPECT_EQ(members_of(compiled(*read).members, 1), (Ports{11, 13})) << "lab1 gets them, and never announces";
}

TEST(Policy, WhatComesInByTheOnlyUplinkConcernsNobodyElsewhere) {
  const auto directs = [](const Policy& policy, uint32_t port) {
    return (policy.ports.at(port).flags & NLB_GUARD_PORT_DIRECTS) != 0;
  };
  EXPECT_FALSE(directs(compiled(config()), 10)) << "it does not steer";
  const auto one = compiled(config("steering = true\n"));
  EXPECT_TRUE(directs(one, 10));
  EXPECT_FALSE(directs(one, 11)) << "what a guest sends concerns members behind the uplink, too";
  EXPECT_FALSE(directs(compiled(config("steering = true\npolicy = \"audit\"\n")), 10));
  auto several = config("steering = true\n");
  several.switches[0].uplinks = {"eno1", "eno2"};  // not here now, but it may be
  EXPECT_FALSE(directs(compiled(several), 10));
  several.switches[0].uplinks.clear();
  const auto none = compiled(several);
  EXPECT_TRUE(directs(none, 11) && directs(none, 13)) << "all members are here";
}

TEST(Policy, WhilePortsChangeTheMembersOfBothSetsCount) {
  const auto set = [](std::initializer_list<uint32_t> ports) {
    nlb_steering_members members{};
    for (const uint32_t port : ports) members.ifindex[members.count++] = port;
    return MemberMap{{{1, 1}, members}};
  };
  EXPECT_EQ(members_of(united(set({11, 12}), set({12, 13})), 1), (std::vector<uint32_t>{11, 12, 13}));
  EXPECT_EQ(members_of(united({}, set({12})), 1), std::vector<uint32_t>{12});
  EXPECT_TRUE(members_of(united(set({11}), set({})), 1).empty()) << "more than are kept";
  nlb_steering_members many{};
  for (; many.count < NLB_STEERING_MAX_MEMBERS; ++many.count) many.ifindex[many.count] = 100U + many.count;
  EXPECT_TRUE(members_of(united({{{1, 1}, many}}, set({11})), 1).empty());
  EXPECT_EQ(united({{{1, 1}, many}}, set({11})).at({1, 1}).ifindex[0], 0U) << "nobody is left in it";
  auto other_mac = set({12});
  other_mac.at({1, 1}).mac[5] = 1;
  EXPECT_TRUE(members_of(united(set({11}), other_mac), 1).empty()) << "the cluster's MAC changes";
}

TEST(Policy, KnowsThePortsThatAGroupMacHasToReach) {
  EXPECT_TRUE(compiled(config()).in_groups.empty()) << "unicast";
  for (const char* mode : {"multicast", "igmp"}) {
    std::string text = kText;
    text.insert(text.find("hosts = "), "mode = \"" + std::string(mode) + "\"\n");
    auto read = parse_switch_config({"f", text}, {});
    ASSERT_TRUE(read.has_value()) << text_of(read.error());
    EXPECT_EQ(compiled(*read).in_groups, std::set<uint32_t>{11}) << "web2 is declared, but off";
    EXPECT_TRUE(compiled(*read, {}).in_groups.empty()) << "no port is here";
  }
}

TEST(ClusterNumbers, StayWithTheirClusters) {
  auto clusters = config().clusters;
  ClusterNumbers numbers;
  numbers.follow(clusters);
  EXPECT_EQ(numbers.of("list"), 3);
  clusters.erase(clusters.begin());  // "web" goes: the others keep theirs, a newcomer takes the gap
  clusters.push_back(clusters.front());
  clusters.back().name = "new";
  numbers.follow(clusters);
  EXPECT_EQ(numbers.of("web"), 0);
  EXPECT_EQ(numbers.of("list"), 3);
  EXPECT_EQ(numbers.of("new"), 1);
  const auto again = ClusterNumbers::parse(numbers.text() + "\n7\nx y\n3 twin\n9999 large\n");
  EXPECT_EQ(again.text(), numbers.text());
  EXPECT_EQ(again.name_of(3), "list");
}

// tap1 alone is a member's; of a machine that is still to arrive it is steered to and not fenced.
TEST(MemberPorts, WhoIsSteeredToAndWhoIsFenced) {
  auto declared = config("steering = true\nfence_notice = true\n");
  ClusterNumbers numbers;
  numbers.follow(declared.clusters);
  const SteeredPorts steered{{11, numbers.of("web")}};
  EXPECT_EQ(steered_ports(declared, kPresent, numbers), steered);
  const FencingPorts fencing{{11, {"tap1", "br0", numbers.of("web"), 1}}};
  EXPECT_EQ(fencing_ports(declared, kPresent, numbers), fencing);
  for (auto& port : declared.ports) port.incoming = true;
  EXPECT_EQ(steered_ports(declared, kPresent, numbers), steered);
  EXPECT_TRUE(fencing_ports(declared, kPresent, numbers).empty());
  EXPECT_TRUE(steered_ports(config(), kPresent, numbers).empty());
  EXPECT_TRUE(fencing_ports(config(), kPresent, numbers).empty());
}

}  // namespace
}  // namespace nlb::vmswitch
