// SPDX-License-Identifier: Apache-2.0
// Addresses as values: text forms there and back, and the table of cluster MACs.
#include "base/net.hh"

#include <gtest/gtest.h>

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
}

}  // namespace
}  // namespace nlb
