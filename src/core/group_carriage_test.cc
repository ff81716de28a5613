// SPDX-License-Identifier: Apache-2.0
// In what a host speaks to all: IP alone in mode igmp, both beside a host that hears Ethernet only.
#include "core/group_carriage.hh"

#include <gtest/gtest.h>

namespace nlb::core {
namespace {

constexpr Nanos kSilence = 500 * kMillisecond;

wire::Heartbeat said_by(HostId sender, bool in_ip, ClusterMode mode = ClusterMode::igmp) {
  wire::Heartbeat heartbeat;
  heartbeat.header = {sender, 7, 1};
  heartbeat.digests.mode = static_cast<uint8_t>(mode);
  heartbeat.digests.period_ms = 50;
  heartbeat.digests.tolerance = 10;
  heartbeat.flags = in_ip ? wire::kInIp : 0;
  return heartbeat;
}

TEST(GroupCarriage, OtherModesSpeakEthernetAlone) {
  for (const ClusterMode mode : {ClusterMode::unicast, ClusterMode::multicast}) {
    GroupCarriage carriage(mode);
    carriage.on_heartbeat(said_by(2, true, mode), kSecond);
    EXPECT_FALSE(carriage.in_ip());
    EXPECT_TRUE(carriage.in_ethernet(kSecond));
    EXPECT_FALSE(carriage.comes_in_ip_too(said_by(2, true, mode)));
  }
}

TEST(GroupCarriage, EthernetIsSpokenOnlyWhileSomebodyIsHeardWhoNeedsIt) {
  GroupCarriage carriage(ClusterMode::igmp);
  EXPECT_TRUE(carriage.in_ip());
  EXPECT_FALSE(carriage.in_ethernet(kSecond));
  carriage.on_heartbeat(said_by(2, true), kSecond);
  EXPECT_FALSE(carriage.in_ethernet(kSecond));
  carriage.on_heartbeat(said_by(3, false), kSecond);
  carriage.on_heartbeat(said_by(2, true), kSecond);
  EXPECT_TRUE(carriage.in_ip());
  EXPECT_TRUE(carriage.in_ethernet(kSecond + kSilence - 1));
  EXPECT_FALSE(carriage.in_ethernet(kSecond + kSilence));
}

// Or it would not learn that its mode is another one.
TEST(GroupCarriage, AHostOfAnotherModeIsSpokenToAsWell) {
  GroupCarriage carriage(ClusterMode::igmp);
  carriage.on_heartbeat(said_by(3, false, ClusterMode::unicast), kSecond);
  EXPECT_TRUE(carriage.in_ethernet(kSecond));
}

// Two that hear each other in both must not keep each other at it, nor take the second for a replay.
TEST(GroupCarriage, WhatIsSaidInBothIsToldApart) {
  GroupCarriage carriage(ClusterMode::igmp);
  EXPECT_TRUE(carriage.comes_in_ip_too(said_by(2, true)));
  EXPECT_FALSE(carriage.comes_in_ip_too(said_by(3, false)));
  wire::HeldPart part;
  part.header = {2, 7, 5};
  EXPECT_FALSE(carriage.comes_in_ip_too(part));  // nothing is known of its sender yet
  carriage.on_heartbeat(said_by(2, true), kSecond);
  EXPECT_TRUE(carriage.comes_in_ip_too(part));
  part.header.incarnation = 8;
  EXPECT_FALSE(carriage.comes_in_ip_too(part));
  part.header = {3, 7, 5};
  EXPECT_FALSE(carriage.comes_in_ip_too(part));
}

}  // namespace
}  // namespace nlb::core
