// SPDX-License-Identifier: Apache-2.0
// Which slot a packet falls into: as bpf_fixtures has it of the kernel programs (RuleFixtures).
#include "core/slots.hh"

#include <gtest/gtest.h>

namespace nlb::core {
namespace {

const IpAddress kVip = *IpAddress::parse("10.0.0.10"), kOther = *IpAddress::parse("10.0.0.11");
constexpr uint8_t kTcp = 6, kUdp = 17, kGre = 47, kEsp = 50, kAh = 51, kSctp = 132;

class Slots : public testing::Test {
 protected:
  Slots() {
    add(8000, 8100, RuleProtocol::tcp);          // 0
    add(8080, 8081, RuleProtocol::tcp, kOther);  // 1
    add(443, 443, RuleProtocol::both);           // 2
    add(1723, 1723, RuleProtocol::tcp);          // 3
    add(500, 4500, RuleProtocol::udp);           // 4
    add(500, 500, RuleProtocol::udp, kOther);    // 5
  }
  void add(uint16_t first, uint16_t last, RuleProtocol protocol, std::optional<IpAddress> vip = {}) {
    PortRule rule;
    rule.first_port = first;
    rule.last_port = last;
    rule.protocol = protocol;
    rule.vip = vip;
    rules_.push_back(rule);
  }
  [[nodiscard]] std::size_t at(const IpAddress& vip, uint8_t protocol, uint16_t port = 0) const {
    return slot_of_packet(rules_, vip, protocol, port);
  }
  std::vector<PortRule> rules_;
};

TEST_F(Slots, ARuleThatNamesTheVipGoesBeforeOneForAllWhereverItStands) {
  EXPECT_EQ(at(kOther, kTcp, 8080), 1u);
  EXPECT_EQ(at(kVip, kTcp, 8080), 0u);
  EXPECT_EQ(at(kOther, kTcp, 8082), 0u);
  EXPECT_EQ(at(kOther, kUdp, 8080), kDefaultSlot);
}

TEST_F(Slots, TcpAndUdpHaveTheirOwn) {
  EXPECT_EQ(at(kVip, kTcp, 443), 2u);
  EXPECT_EQ(at(kVip, kUdp, 443), 2u);
  EXPECT_EQ(at(kVip, kTcp, 500), kDefaultSlot);
  EXPECT_EQ(at(kVip, kUdp, 4500), 4u);
}

TEST_F(Slots, ProtocolsWithoutPortsGoByTheirControlChannel) {
  EXPECT_EQ(at(kVip, kGre), 3u);
  for (const uint8_t protocol : {kEsp, kAh}) {
    EXPECT_EQ(at(kVip, protocol), 4u);
    EXPECT_EQ(at(kOther, protocol), 5u);
  }
  rules_.resize(3);
  for (const uint8_t protocol : {kGre, kEsp, kAh}) EXPECT_EQ(at(kVip, protocol), kDefaultSlot);
}

TEST_F(Slots, SctpGoesByARuleOfBoth) {
  EXPECT_EQ(at(kVip, kSctp, 443), 2u);
  EXPECT_EQ(at(kVip, kSctp, 8080), kDefaultSlot);
  EXPECT_EQ(at(kVip, kSctp, 1), kDefaultSlot);
}

TEST_F(Slots, OthersHaveNoRule) {
  for (const uint8_t protocol : {uint8_t{4}, uint8_t{41}, uint8_t{255}})
    EXPECT_EQ(at(kVip, protocol, 443), kDefaultSlot);
}

}  // namespace
}  // namespace nlb::core
