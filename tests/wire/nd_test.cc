// SPDX-License-Identifier: Apache-2.0
// Neighbour discovery as whole packets: what is sent is read back, and octet by octet what RFC 4861 draws.
#include "wire/nd.hh"

#include <gtest/gtest.h>

namespace nlb {
namespace {

const IpAddress kVip = *IpAddress::parse("fd77::100");
const MacAddress kCluster = *MacAddress::parse("02:bf:fd:77:01:00");

// The checksums were computed apart, by a few lines of Python.
TEST(NeighbourDiscovery, AProbeIsWhatTheRfcDraws) {
  const std::vector<uint8_t> wanted = {
      0x60, 0,    0,    0,    0,    32,   58,   255,                                //
      0,    0,    0,    0,    0,    0,    0,    0,   0, 0, 0, 0,    0,    0, 0, 0,  // ::
      0xff, 0x02, 0,    0,    0,    0,    0,    0,   0, 0, 0, 0x01, 0xff, 0, 1, 0,  // ff02::1:ff00:100
      135,  0,    0x6b, 0xf0, 0,    0,    0,    0,                                  //
      0xfd, 0x77, 0,    0,    0,    0,    0,    0,   0, 0, 0, 0,    0,    0, 1, 0,  // fd77::100
      14,   1,    0x02, 0xbf, 0xfd, 0x77, 0x01, 0x00};
  EXPECT_EQ(nd_probe(kCluster, kVip), wanted);
}

TEST(NeighbourDiscovery, AnAnnouncementIsWhatTheRfcDraws) {
  const std::vector<uint8_t> wanted = {
      0x60, 0,    0,    0,    0,    32,   58,   255,                          //
      0xfd, 0x77, 0,    0,    0,    0,    0,    0,   0, 0, 0, 0, 0, 0, 1, 0,  // fd77::100
      0xff, 0x02, 0,    0,    0,    0,    0,    0,   0, 0, 0, 0, 0, 0, 0, 1,  // ff02::1
      136,  0,    0x58, 0x79, 0x20, 0,    0,    0,                            // override
      0xfd, 0x77, 0,    0,    0,    0,    0,    0,   0, 0, 0, 0, 0, 0, 1, 0,  // fd77::100
      2,    1,    0x02, 0xbf, 0xfd, 0x77, 0x01, 0x00};
  EXPECT_EQ(nd_announcement(kVip, kCluster), wanted);
}

TEST(NeighbourDiscovery, WhatIsSentIsRead) {
  EXPECT_EQ(parse_nd(nd_probe(kCluster, kVip)), (NdMessage{true, {}, kVip, {}, kCluster}));
  EXPECT_EQ(parse_nd(nd_announcement(kVip, kCluster)), (NdMessage{false, kVip, kVip, kCluster, {}}));
}

TEST(NeighbourDiscovery, WhatAReceiverMustDiscardIsNotRead) {
  const auto good = nd_announcement(kVip, kCluster);
  for (const std::size_t octet : {0, 5, 6, 7, 8, 40, 41, 42, 50, 65}) {
    auto spoiled = good;
    spoiled[octet] ^= 0x40;
    EXPECT_FALSE(parse_nd(spoiled)) << "octet " << octet;
  }
  for (std::size_t bytes = 0; bytes < good.size(); ++bytes)
    EXPECT_FALSE(parse_nd(std::span(good).first(bytes))) << bytes;
  auto padded = good;
  padded.resize(100);
  EXPECT_TRUE(parse_nd(padded)) << "what comes behind is padding";
}

TEST(NeighbourDiscovery, GroupsFollowFromTheAddress) {
  EXPECT_EQ(solicited_node(*IpAddress::parse("2001:db8::12:3456")).text(), "ff02::1:ff12:3456");
  EXPECT_EQ(group_mac(*IpAddress::parse("ff02::1:ff12:3456")).text(), "33:33:ff:12:34:56");
}

}  // namespace
}  // namespace nlb
