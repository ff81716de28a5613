// SPDX-License-Identifier: Apache-2.0
// Which ports are fenced, for how long, and who is told.
#include "vmswitch/fencing.hh"

#include <gtest/gtest.h>

namespace nlb::vmswitch {
namespace {

constexpr Nanos kStart = 1000 * kSecond;
constexpr uint32_t kBridge = 1, kFirst = 10, kSecondPort = 11, kOther = 12;

struct Fences : testing::Test {
  Fencing fencing;
  FencingPorts ports{
      {kFirst, {"tap1", "br0", 1, 1}}, {kSecondPort, {"tap2", "br0", 1, 2}}, {kOther, {"tap3", "br0", 2, 1}}};
  std::vector<Link> links{{kBridge, "br0", 0, "bridge", true, false, true},
                          {kFirst, "tap1", kBridge, "tun", true, false, true},
                          {kSecondPort, "tap2", kBridge, "tun", true, false, true},
                          {kOther, "tap3", kBridge, "tun", true, false, true}};
  Nanos silence = 20 * kMillisecond;

  void SetUp() override {
    fencing.follow(ports);
    for (const auto& [ifindex, port] : ports) said(ifindex, port.host, 100 + ifindex, kStart);
  }
  std::vector<SaidNotice> said(uint32_t ifindex, HostId host, uint64_t incarnation, Nanos now) {
    return fencing.take(ifindex, {host, 50, 500, incarnation, 7000 + ifindex}, now);
  }
  std::vector<Fencing::Port> down(Nanos now) {
    return fencing.gone_down(
        links, [&](uint32_t) { return std::optional(silence); }, now);
  }
  Link& link(uint32_t ifindex) {
    return *std::find_if(links.begin(), links.end(), [&](const Link& one) { return one.ifindex == ifindex; });
  }
  std::vector<SaidNotice> fence_first() {
    link(kFirst).carrier = false;
    const auto gone = down(kStart);
    return gone.size() == 1 ? fencing.fence(gone.front().ifindex, kStart) : std::vector<SaidNotice>{};
  }
};

TEST_F(Fences, MembersOfTheSameClusterAreToldUnderTheirOwnNumbers) {
  EXPECT_TRUE(down(kStart).empty()) << "all are up";
  const auto notices = fence_first();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices.front().ifindex, kSecondPort);
  EXPECT_EQ(notices.front().notice, (wire::FenceNotice{1, 110, 7011}));
  EXPECT_EQ(fencing.fenced(), std::set<std::string>{"tap1"});
  EXPECT_TRUE(down(kStart).empty()) << "it is told once";
}

TEST_F(Fences, AnInterfaceThatIsGoneIsAPortThatIsDown) {
  std::erase_if(links, [](const Link& one) { return one.ifindex == kFirst; });
  const auto gone = down(kStart);
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_TRUE(gone.front().gone);
}

TEST_F(Fences, WhoWasSilentBeforeMayHaveMovedAndIsNotTold) {
  silence = 101 * kMillisecond;
  EXPECT_TRUE(fence_first().empty());
  silence = 0;
  EXPECT_TRUE(down(kStart).empty()) << "nor later";
  EXPECT_TRUE(fencing.fenced().empty());
}

TEST_F(Fences, WhoIsOnAnotherBridgeOrHasSaidNothingLatelyIsNotTold) {
  links.push_back({30, "br1", 0, "bridge", true, false, true});
  link(kFirst).master = 30;
  link(kFirst).carrier = false;
  EXPECT_TRUE(down(kStart).empty());
  link(kSecondPort).carrier = false;
  EXPECT_TRUE(down(kStart + 3 * kSecond).empty());
}

TEST_F(Fences, WhatCouldNotBeFencedIsTriedAgain) {
  link(kFirst).master = 0;
  link(kFirst).carrier = false;
  ASSERT_EQ(down(kStart).size(), 1U) << "off its bridge and down";
  EXPECT_TRUE(down(kStart).empty());
  fencing.not_fenced(kFirst);
  EXPECT_EQ(down(kStart).size(), 1U);
}

TEST_F(Fences, APresenceUnderAnotherHostIdCountsForNothing) {
  said(kFirst, 5, 999, kStart);
  const auto notices = fence_first();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices.front().notice.incarnation, 110U);
}

TEST_F(Fences, TheFencedOneIsToldWhenItSpeaksAndWhenItsPortComesUp) {
  fence_first();
  EXPECT_TRUE(fencing.come_up(links, kStart).empty());
  link(kFirst).carrier = true;
  auto notices = fencing.come_up(links, kStart);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices.front().notice, (wire::FenceNotice{1, 110, 7010}));
  EXPECT_TRUE(fencing.come_up(links, kStart).empty());
  notices = said(kFirst, 1, 110, kStart + kSecond);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices.front().ifindex, kFirst);
  EXPECT_FALSE(fencing.fenced().empty());
  EXPECT_TRUE(said(kFirst, 1, 111, kStart + kSecond).empty());
  EXPECT_TRUE(fencing.fenced().empty()) << "it has begun anew";
}

TEST_F(Fences, AFenceLastsLongerThanAnyLease) {
  fencing.take(kFirst, {1, 1000, 10'000, 110, 1}, kStart);
  fence_first();
  EXPECT_FALSE(fencing.expire(kStart + 9 * kSecond));
  EXPECT_TRUE(fencing.expire(kStart + 10 * kSecond));
  EXPECT_TRUE(fencing.fenced().empty());
}

TEST_F(Fences, ANewInterfaceOfTheSameNameIsFencedToo) {
  fence_first();
  ports.erase(kFirst);
  ports[20] = {"tap1", "br0", 1, 1};
  fencing.follow(ports);
  EXPECT_TRUE(fencing.fenced().contains("tap1"));
  EXPECT_EQ(said(20, 1, 110, kStart).size(), 1U);
}

TEST_F(Fences, WhatAnEarlierDaemonHasFencedWaitsForAnotherLife) {
  fencing.adopt("tap1", kStart);
  EXPECT_EQ(said(kFirst, 1, 110, kStart).size(), 1U);
  EXPECT_TRUE(fencing.fenced().contains("tap1"));
  EXPECT_TRUE(said(kFirst, 1, 112, kStart).empty());
  EXPECT_TRUE(fencing.fenced().empty());
}

}  // namespace
}  // namespace nlb::vmswitch
