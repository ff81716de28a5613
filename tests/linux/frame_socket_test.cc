// SPDX-License-Identifier: Apache-2.0
// Heartbeat and ARP sockets on a veth pair: what arrives, what does not, what is counted.
#include "linux/frame_socket.hh"

#include <numeric>

#include "shell.hh"
#include "wire/arp.hh"

namespace nlb::testing {
namespace {

constexpr uint16_t kEtherType = 0x88b5;
const MacAddress kGroup = *MacAddress::parse("03:bf:0a:4d:00:64");

class FrameSocketTest : public NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    host_ = std::move(*FrameSocket::open("veth0", kEtherType, kGroup));
    wire_ = std::move(*FrameSocket::open("veth1", kEtherType, std::nullopt));
  }
  std::unique_ptr<FrameSocket> host_, wire_;
  const std::vector<uint8_t> payload_ = {1, 2, 3};
};

TEST_F(FrameSocketTest, CarriesAFrame) {
  const Nanos before = boottime_now();
  ASSERT_TRUE(wire_->send(kMaskedMac, kGroup, payload_));
  auto frame = host_->receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->source, kMaskedMac);
  EXPECT_EQ(frame->destination, kGroup);
  EXPECT_EQ(frame->payload, payload_);
  EXPECT_GE(frame->received_at, before);
  EXPECT_LE(frame->received_at, boottime_now());
  EXPECT_FALSE(host_->receive());
}

TEST_F(FrameSocketTest, LargestPayloadOfTheMtu) {
  std::vector<uint8_t> large(1500);
  std::iota(large.begin(), large.end(), uint8_t{0});
  ASSERT_TRUE(wire_->send(kWireMac, kGroup, large));
  EXPECT_EQ(host_->receive()->payload, large);
  large.push_back(0);
  EXPECT_FALSE(wire_->send(kWireMac, kGroup, large));
}

TEST_F(FrameSocketTest, OwnFramesAreNotReturned) {
  ASSERT_TRUE(host_->send(kOwnMac, kGroup, payload_));
  EXPECT_FALSE(host_->receive());
}

TEST_F(FrameSocketTest, OwnMacClusterMacAndBroadcastGetIn) {
  sh("bridge fdb add " + kClusterMac.text() + " dev veth0 self");
  for (const auto& to : {kOwnMac, kClusterMac, kBroadcast}) {
    ASSERT_TRUE(wire_->send(kWireMac, to, payload_));
    auto frame = host_->receive();
    ASSERT_TRUE(frame) << to.text();
    EXPECT_EQ(frame->destination, to);
  }
}

TEST_F(FrameSocketTest, OtherGroupsDoNotEvenWhenPromiscuous) {
  sh("ip link set veth0 promisc on");
  ASSERT_TRUE(wire_->send(kWireMac, *MacAddress::parse("03:bf:0a:4d:00:65"), payload_));
  EXPECT_FALSE(host_->receive());
}

TEST_F(FrameSocketTest, JoinsTheGroup) {
  EXPECT_NE(sh("ip maddr show dev veth0").find(kGroup.text()), std::string::npos);
  host_.reset();
  EXPECT_EQ(sh("ip maddr show dev veth0").find(kGroup.text()), std::string::npos);
}

TEST_F(FrameSocketTest, ASecondOf64HostsFitsTheBufferAndLossIsCounted) {
  const std::vector<uint8_t> heartbeat(1400);
  for (int i = 0; i < 6400; ++i) ASSERT_TRUE(wire_->send(kWireMac, kGroup, heartbeat));
  EXPECT_EQ(host_->dropped(), 0u);
  for (int i = 0; i < 60000; ++i) (void)wire_->send(kWireMac, kGroup, heartbeat);
  EXPECT_GT(host_->dropped(), 0u);
  EXPECT_EQ(host_->dropped(), 0u) << "counted once";
}

TEST_F(FrameSocketTest, LinkDownIsNoEndlessLoop) {
  ASSERT_TRUE(wire_->send(kWireMac, kGroup, payload_));
  sh("ip link set veth0 down");
  EXPECT_TRUE(host_->receive());
  EXPECT_FALSE(host_->receive());
  EXPECT_FALSE(host_->send(kOwnMac, kGroup, payload_));
}

TEST_F(FrameSocketTest, MissingInterfaceIsSaid) {
  auto none = FrameSocket::open("eth9", kEtherType, std::nullopt);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("eth9: no such network interface"), std::string::npos);
}

// The kernel of a neighbour answers the probe to the payload MAC and caches nothing.
TEST_F(FrameSocketTest, ProbeIsAnsweredAndNotCached) {
  auto arp = *FrameSocket::open("veth1", 0x0806, std::nullopt);
  ASSERT_TRUE(arp->send(kWireMac, kBroadcast, arp_probe(kMaskedMac, kDedicated)));
  auto frame = arp->receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->destination, kMaskedMac);
  auto answer = parse_arp_reply(frame->payload);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->address, kDedicated);
  EXPECT_EQ(answer->mac, kOwnMac);
  EXPECT_EQ(sh("ip neigh show dev veth0"), "");
}

TEST(ArpPayload, WhatIsNoReplyIsRefused) {
  auto payload = arp_probe(kOwnMac, kDedicated);
  ASSERT_EQ(payload.size(), 28u);
  EXPECT_FALSE(parse_arp_reply(payload)) << "a request";
  payload[7] = 2;
  ASSERT_TRUE(parse_arp_reply(payload));
  EXPECT_FALSE(parse_arp_reply(std::span(payload).first(27))) << "too short";
  for (std::size_t i = 0; i < 8; ++i) {
    auto spoilt = payload;
    spoilt[i] ^= 0x10;
    EXPECT_FALSE(parse_arp_reply(spoilt)) << "octet " << i;
  }
  payload.resize(46);  // padded to the least Ethernet frame
  EXPECT_TRUE(parse_arp_reply(payload));
}

}  // namespace
}  // namespace nlb::testing
