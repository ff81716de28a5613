// SPDX-License-Identifier: Apache-2.0
// What routers, switches and network managers are told about a cluster.
#include <gtest/gtest.h>

#include <algorithm>

#include "control/config_values.hh"
#include "nlb/network_files.hh"
#include "nlb/switch_entries.hh"

namespace {

using namespace nlb;

Config cluster(ClusterMode mode) {
  Config config;
  config.name = "web";
  config.interface = "eth0";
  config.mode = mode;
  config.vips = {*parse_vip("10.77.0.100/24"), *parse_vip("10.77.0.101")};
  return config;
}

// The lines that are no comments.
std::vector<std::string> entries(const char* vendor, ClusterMode mode) {
  auto lines = switch_entries(vendor, cluster(mode), {"10", {"P1", "P2"}, "br0"});
  EXPECT_FALSE(lines.empty());
  std::erase_if(lines,
                [](const std::string& line) { return line.starts_with("!") || line.starts_with("#"); });
  return lines;
}

using Lines = std::vector<std::string>;

TEST(SwitchEntries, UnicastNeedsNoneAndSaysSo) {
  for (const auto vendor : kVendors) {
    EXPECT_EQ(entries(vendor.data(), ClusterMode::unicast), Lines{}) << vendor;
    std::string all;
    for (const auto& line : switch_entries(vendor, cluster(ClusterMode::unicast), {})) all += line + "\n";
    EXPECT_NE(all.find("needs no static MAC entry"), std::string::npos) << all;
  }
}

TEST(SwitchEntries, Multicast) {
  EXPECT_EQ(entries("cisco", ClusterMode::multicast),
            (Lines{"arp 10.77.0.100 03bf.0a4d.0064 ARPA", "arp 10.77.0.101 03bf.0a4d.0064 ARPA",
                   "mac address-table static 03bf.0a4d.0064 vlan 10 interface P1 P2"}));
  EXPECT_EQ(entries("arista", ClusterMode::multicast),
            (Lines{"arp 10.77.0.100 03bf.0a4d.0064 arpa", "arp 10.77.0.101 03bf.0a4d.0064 arpa",
                   "mac address-table static 03bf.0a4d.0064 vlan 10 interface P1 P2"}));
  EXPECT_EQ(entries("juniper", ClusterMode::multicast),
            (Lines{"set interfaces irb unit 10 family inet address ROUTER-ADDRESS/PREFIX arp 10.77.0.100 "
                   "multicast-mac 03:bf:0a:4d:00:64",
                   "set interfaces irb unit 10 family inet address ROUTER-ADDRESS/PREFIX arp 10.77.0.101 "
                   "multicast-mac 03:bf:0a:4d:00:64"}));
  EXPECT_EQ(entries("h3c", ClusterMode::multicast),
            (Lines{"arp static 10.77.0.100 03bf-0a4d-0064", "arp static 10.77.0.101 03bf-0a4d-0064",
                   "mac-address multicast 03bf-0a4d-0064 interface P1 P2 vlan 10"}));
  EXPECT_EQ(entries("linux", ClusterMode::multicast),
            (Lines{"ip neigh replace 10.77.0.100 lladdr 03:bf:0a:4d:00:64 dev br0 nud permanent",
                   "ip neigh replace 10.77.0.101 lladdr 03:bf:0a:4d:00:64 dev br0 nud permanent",
                   "bridge link set dev P1 mcast_router 2", "bridge link set dev P2 mcast_router 2",
                   "bridge mdb add dev BRIDGE port P1 grp 03:bf:0a:4d:00:64 permanent vid 10",
                   "bridge mdb add dev BRIDGE port P2 grp 03:bf:0a:4d:00:64 permanent vid 10"}));
}

TEST(SwitchEntries, Igmp) {
  EXPECT_EQ(entries("cisco", ClusterMode::igmp),
            (Lines{"arp 10.77.0.100 0100.5e7f.0064 ARPA", "arp 10.77.0.101 0100.5e7f.0064 ARPA",
                   "ip igmp snooping", "ip igmp snooping vlan 10 static 239.255.0.100 interface P1",
                   "ip igmp snooping vlan 10 static 239.255.0.100 interface P2"}));
  const auto last = [](const char* vendor) { return entries(vendor, ClusterMode::igmp).back(); };
  EXPECT_EQ(last("arista"), "ip igmp snooping vlan 10 static 239.255.0.100 interface P2");
  EXPECT_EQ(last("juniper"),
            "set protocols igmp-snooping vlan vlan-10 interface P2 static group 239.255.0.100");
  EXPECT_EQ(last("linux"), "bridge mdb add dev BRIDGE port P2 grp 239.255.0.100 permanent vid 10");
  const auto h3c = entries("h3c", ClusterMode::igmp);
  EXPECT_EQ(h3c[0], "arp static 10.77.0.100 0100-5e7f-0064");
  EXPECT_EQ(std::count(h3c.begin(), h3c.end(), "igmp-snooping static-group 239.255.0.100 vlan 10"), 2);
}

TEST(SwitchEntries, WhatIsNotGivenStaysToBeFilledIn) {
  EXPECT_EQ(switch_entries("cisco", cluster(ClusterMode::multicast), {}).back(),
            "mac address-table static 03bf.0a4d.0064 vlan VLAN interface PORT1 PORT2");
}

// Each line is empty, a comment, a [section] or key=value: what a reader of such files accepts.
void expect_well_formed(const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto line = text.substr(at, text.find('\n', at) - at);
    at += line.size() + 1;
    EXPECT_TRUE(
        line.empty() || line.starts_with("#") || (line.starts_with("[") && line.ends_with("]")) ||
        (line.find('=') != std::string::npos && line.find('=') != 0 && line.find(' ') > line.find('=')))
        << line;
  }
}

TEST(NetworkFiles, AreWellFormedAndSayWhatIsLeftToNlbd) {
  const auto config = cluster(ClusterMode::unicast);
  const auto networkd = networkd_file(config, "10-eth0.network");
  EXPECT_EQ(networkd.path, "/etc/systemd/network/10-eth0.network.d/50-opennlb-eth0.conf");
  EXPECT_NE(networkd.text.find("\nKeepConfiguration=yes\n"), std::string::npos);
  const auto manager = network_manager_file(config);
  EXPECT_NE(manager.text.find("\nmatch-device=interface-name:eth0\n"), std::string::npos);
  const auto ifupdown = ifupdown_file(config);
  EXPECT_EQ(ifupdown.path, "");
  for (const auto& text : {networkd.text, manager.text, ifupdown.text}) {
    expect_well_formed(text);
    EXPECT_NE(text.find("the VIPs (10.77.0.100, 10.77.0.101), the cluster MAC (02:bf:0a:4d:00:64)"),
              std::string::npos);
  }
}

}  // namespace
