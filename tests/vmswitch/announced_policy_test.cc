// SPDX-License-Identifier: Apache-2.0
// What each port of a declared switch is told, and which ports are told nothing.
#include "vmswitch/announced_policy.hh"

#include <gtest/gtest.h>

namespace nlb::vmswitch {
namespace {

constexpr const char* kText = R"([[switch]]
bridge = "br0"
uplinks = ["eno1"]
[[switch]]
bridge = "br1"
require_stopped = false
policy = "audit"
unknown_ports = "allow"
[[switch]]
bridge = "br2"
announce = false
[[cluster]]
name = "web"
type = "nlb"
vips = ["10.77.0.100"]
hosts = [1, 2]
[[port]]
vm = "web1"
interface = "tap1"
mac = "52:54:00:00:00:01"
cluster = "web"
host_id = 1
[[port]]
vm = "web2"
adapter = "net1"
interface = "tap2"
mac = "52:54:00:00:00:02"
mac_spoofing = "cluster"
cluster = "web"
host_id = 2
[[port]]
vm = "free"
interface = "tap3"
mac = "52:54:00:00:00:03"
mac_spoofing = "on"
)";

AnnouncedPolicies told(const std::vector<BridgePort>& present) {
  const auto config = parse_switch_config({"f", kText}, {});
  EXPECT_TRUE(config.has_value());
  return config ? announced_policies(*config, present, "kvm7") : AnnouncedPolicies{};
}

TEST(AnnouncedPolicy, TheSettingAndThePreparedClusterOfADeclaredPort) {
  const auto all = told({{7, "tap1", "br0"}, {8, "tap2", "br0"}, {9, "tap3", "br0"}});
  ASSERT_EQ(all.size(), 3U);
  wire::PolicyAnnouncement off;
  off.host = "kvm7";
  off.bridge = "br0";
  off.port = "tap1";
  off.vm = "web1";
  off.mac = *MacAddress::parse("52:54:00:00:00:01");
  off.cluster = "web";
  off.host_id = 1;
  EXPECT_EQ(all.at(7), off) << "prepared while spoofing is off";
  EXPECT_EQ(all.at(8).mac_spoofing, wire::PortSpoofing::cluster);
  EXPECT_EQ(all.at(8).adapter, "net1");
  EXPECT_EQ(all.at(8).host_id, 2);
  EXPECT_EQ(all.at(9).mac_spoofing, wire::PortSpoofing::on);
  EXPECT_EQ(all.at(9).cluster, "");
}

TEST(AnnouncedPolicy, SettingsOfTheSwitchThatThePortIsOn) {
  const auto all = told({{7, "tap1", "br1"}});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all.at(7).bridge, "br1");
  EXPECT_TRUE(all.at(7).audit);
  EXPECT_FALSE(all.at(7).require_stopped);
}

TEST(AnnouncedPolicy, APortThatNobodyDeclared) {
  const auto all = told({{5, "tap9", "br0"}, {6, "tap8", "br1"}});
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all.at(5).vm, "");
  EXPECT_TRUE(all.at(5).mac.is_zero());
  EXPECT_EQ(all.at(5).mac_spoofing, wire::PortSpoofing::off);
  EXPECT_EQ(all.at(6).mac_spoofing, wire::PortSpoofing::on) << "unknown_ports = allow";
}

TEST(AnnouncedPolicy, UplinksAndOtherBridgesAreToldNothing) {
  EXPECT_TRUE(told({{1, "eno1", "br0"}, {2, "tap1", "docker0"}, {3, "tap1", "br2"}}).empty());
}

}  // namespace
}  // namespace nlb::vmswitch
