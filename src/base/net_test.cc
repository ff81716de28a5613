// SPDX-License-Identifier: Apache-2.0
// Addresses as values: text forms there and back, and the table of cluster MACs.
#include "base/net.hh"

#include <gtest/gtest.h>

#include <array>

#include "base/hex.hh"

namespace nlb {
namespace {

TEST(MacAddress, ReadsAndWritesItsTextForm) {
  const auto mac = MacAddress::parse("02:BF:0a:4d-00:64");
  ASSERT_TRUE(mac.has_value());
  EXPECT_EQ(mac->text(), "02:bf:0a:4d:00:64");
  for (const char* bad :
       {"", "02:bf:0a:4d:00", "02:bf:0a:4d:00:6g", "02.bf.0a.4d.00.64", "+2:bf:0a:4d:00:64"})
    EXPECT_FALSE(MacAddress::parse(bad).has_value()) << bad;
}

TEST(IpAddress, KeepsIpv4Mapped) {
  const auto address = IpAddress::parse("10.77.0.100");
  ASSERT_TRUE(address.has_value());
  EXPECT_TRUE(address->is_v4());
  EXPECT_EQ(address->v4_host_order(), 0x0a4d0064u);
  EXPECT_EQ(address->text(), "10.77.0.100");
  EXPECT_EQ(IpAddress::parse("2001:db8::1")->text(), "2001:db8::1");
  EXPECT_FALSE(IpAddress::parse("10.77.0.256").has_value());
}

TEST(ClusterMacs, FollowTheTableOfNlbModes) {
  const auto vip = *IpAddress::parse("10.77.0.100");
  const auto macs = cluster_macs(vip);
  EXPECT_EQ(macs.unicast.text(), "02:bf:0a:4d:00:64");
  EXPECT_EQ(macs.multicast.text(), "03:bf:0a:4d:00:64");
  EXPECT_EQ(macs.igmp.text(), "01:00:5e:7f:00:64");
  EXPECT_EQ(masked_mac(vip, 3).text(), "02:03:0a:4d:00:64");
  EXPECT_EQ(igmp_group_of(macs.igmp).text(), "239.255.0.100");
}

// 20010db8 ^ 00010000 ^ 00000000 ^ 00000100 = 20000cb8, by hand.
TEST(ClusterMacs, FoldAnIpv6VipToFourOctets) {
  const auto vip = *IpAddress::parse("2001:db8:1::100");
  const auto macs = cluster_macs(vip);
  EXPECT_EQ(macs.unicast.text(), "02:bf:20:00:0c:b8");
  EXPECT_EQ(macs.multicast.text(), "03:bf:20:00:0c:b8");
  EXPECT_EQ(macs.heartbeat_group, macs.multicast);
  EXPECT_EQ(masked_mac(vip, 64).text(), "02:40:20:00:0c:b8");
  for (const char* other : {"2001:db8:2::100", "2001:db8:1::101", "2001:db8:1::1:0:0:100"})
    EXPECT_NE(cluster_macs(*IpAddress::parse(other)).unicast, macs.unicast) << other;
}

TEST(IpAddress, KnowsLinkLocalAddresses) {
  for (const char* local : {"fe80::1", "febf::1"}) EXPECT_TRUE(IpAddress::parse(local)->is_link_local());
  for (const char* other : {"fec0::1", "fe7f::1", "169.254.0.1", "2001:db8::1", "ff02::1"})
    EXPECT_FALSE(IpAddress::parse(other)->is_link_local()) << other;
}

TEST(IpAddress, KnowsMulticastGroups) {
  for (const char* group : {"224.0.0.1", "239.255.0.100", "ff02::1"})
    EXPECT_TRUE(IpAddress::parse(group)->is_multicast()) << group;
  for (const char* other : {"223.255.0.1", "240.0.0.1", "0.0.0.0", "::", "fe80::1"})
    EXPECT_FALSE(IpAddress::parse(other)->is_multicast()) << other;
}

TEST(Hex, HasTwoDigitsAnOctet) {
  EXPECT_EQ(hex_of(std::array<uint8_t, 3>{0x00, 0x0f, 0xa5}), "000fa5");
  EXPECT_EQ(hex_of({}), "");
}

}  // namespace
}  // namespace nlb
