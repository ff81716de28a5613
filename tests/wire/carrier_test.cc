// SPDX-License-Identifier: Apache-2.0
// A heartbeat in IP, octet by octet, and what is none; an IGMP query.
#include "wire/carrier.hh"

#include <gtest/gtest.h>

#include <algorithm>

#include "wire/igmp.hh"

namespace nlb::wire {
namespace {

using Octets = std::vector<uint8_t>;
const Octets kHeartbeat{'O', 'N', 'L', 'B', 1, 0};
const IpAddress kVip = *IpAddress::parse("10.77.0.100"), kVip6 = *IpAddress::parse("fd77::100"),
                kGroup = *IpAddress::parse("239.255.0.100");

TEST(Carrier, AnIpv4PacketOctetByOctet) {
  const Octets wanted{0x45, 0, 0,  26, 0,  0, 0x40, 0,   255, 253, 0x65, 0xde, 10,
                      77,   0, 11, 10, 77, 0, 100,  'O', 'N', 'L', 'B',  1,    0};
  EXPECT_EQ(carry(kHeartbeat, *IpAddress::parse("10.77.0.11"), kVip), wanted);
  // An address of the other family is none.
  EXPECT_EQ(carry(kHeartbeat, kVip6, kVip), carry(kHeartbeat, IpAddress::v4(0), kVip));
}

// Where it is heard it has come from this segment: TTL 1.
TEST(Carrier, APacketForTheGroupOctetByOctet) {
  const Octets wanted{0x45, 0, 0,  26,  0,   0, 0x40, 0,   1,   253, 0x7e, 0x2c, 10,
                      77,   0, 11, 239, 255, 0, 100,  'O', 'N', 'L', 'B',  1,    0};
  EXPECT_EQ(carry(kHeartbeat, *IpAddress::parse("10.77.0.11"), kGroup), wanted);
  Octets from_nobody = carry(kHeartbeat, IpAddress::v4(0), kGroup);
  EXPECT_TRUE(
      std::all_of(from_nobody.begin() + 12, from_nobody.begin() + 16, [](uint8_t o) { return o == 0; }));
  EXPECT_TRUE(carried_in(from_nobody, kGroup));
  EXPECT_FALSE(carried_in(from_nobody, kVip));
  from_nobody[8] = 255;
  EXPECT_FALSE(carried_in(from_nobody, kGroup));
}

TEST(Carrier, WhatWasCarriedComesOut) {
  for (const IpAddress& vip : {kVip, kVip6, kGroup}) {
    const Octets packet = carry(kHeartbeat, vip, vip);
    EXPECT_EQ(packet.size(), (vip.is_v4() ? 20U : 40U) + kHeartbeat.size());
    const auto inside = carried_in(packet, vip);
    ASSERT_TRUE(inside);
    EXPECT_EQ(Octets(inside->begin(), inside->end()), kHeartbeat);
  }
}

TEST(Carrier, NothingElseIsTakenForOne) {
  for (const IpAddress& vip : {kVip, kVip6, kGroup}) {
    const Octets packet = carry(kHeartbeat, vip, vip);
    EXPECT_FALSE(carried_in(packet, vip.is_v4() ? *IpAddress::parse("10.77.0.101") : kVip));
    for (const std::size_t octet : vip.is_v4() ? std::vector<std::size_t>{0, 6, 7, 8, 9, 19}
                                               : std::vector<std::size_t>{0, 6, 7, 24, 39}) {
      Octets spoiled = packet;
      spoiled[octet] ^= 0x11;
      EXPECT_FALSE(carried_in(spoiled, vip)) << octet;
    }
    for (std::size_t size = 0; size < packet.size() - kHeartbeat.size(); ++size)
      EXPECT_FALSE(carried_in(std::span(packet).first(size), vip)) << size;
  }
}

TEST(Igmp, AQueryIsTold) {
  Octets query(32, 0);
  query[0] = 0x46;  // router alert
  query[9] = kIgmpProtocol;
  query[24] = 0x11;
  EXPECT_TRUE(is_igmp_query(query));
  for (const std::size_t octet : {std::size_t{0}, std::size_t{9}, std::size_t{24}}) {
    Octets other = query;
    other[octet] ^= 0x20;
    EXPECT_FALSE(is_igmp_query(other)) << octet;
  }
  for (std::size_t size = 0; size < query.size(); ++size)
    EXPECT_FALSE(is_igmp_query(std::span(query).first(size)));
}

}  // namespace
}  // namespace nlb::wire
