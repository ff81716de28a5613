// SPDX-License-Identifier: Apache-2.0
// The ear for announcements on a veth pair, as on a switch without a guard: everything may arrive, and only
// an untagged announcement to the one destination is taken.
#include "linux/policy_listener.hh"

#include <net/if.h>
#include <nlb/abi/guard.h>
#include <poll.h>
#include <sys/socket.h>

#include "shell.hh"
#include "wire/arp.hh"

namespace nlb::testing {
namespace {

const MacAddress kGroup{NLB_GUARD_ANNOUNCEMENT_MAC};

wire::PolicyAnnouncement told(const char* vm) {
  wire::PolicyAnnouncement policy;
  policy.host = "kvm7";
  policy.bridge = "br0";
  policy.port = "tap1";
  policy.vm = vm;
  return policy;
}

class PolicyListenerTest : public NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    listener_ = std::move(*PolicyListener::open("veth0"));
    wire_ = std::move(*FrameSocket::open("veth1", NLB_ETHERTYPE_POLICY, std::nullopt));
  }
  void say(const char* vm, const MacAddress& to = kGroup, const MacAddress& from = kWireMac) const {
    ASSERT_TRUE(wire_->send(from, to, wire::encode(told(vm))));
  }
  [[nodiscard]] std::string heard() const {
    listener_->read();
    const auto newest = listener_->fresh(boottime_now());
    return newest ? newest->policy.vm : "";
  }
  [[nodiscard]] bool wakes() const {
    pollfd waiting{listener_->fd(), POLLIN, 0};
    return poll(&waiting, 1, 0) == 1;
  }
  std::unique_ptr<PolicyListener> listener_;
  std::unique_ptr<FrameSocket> wire_;
};

TEST_F(PolicyListenerTest, HearsTheNewest) {
  EXPECT_EQ(heard(), "");
  say("web1");
  say("web2");
  EXPECT_TRUE(wakes());
  EXPECT_EQ(heard(), "web2");
  EXPECT_FALSE(wakes());
}

TEST_F(PolicyListenerTest, ForgetsAfterThreeSeconds) {
  say("web1");
  listener_->read();
  const Nanos at = listener_->fresh(boottime_now())->heard_at;
  EXPECT_TRUE(listener_->fresh(at + 3 * kSecond - 1));
  EXPECT_FALSE(listener_->fresh(at + 3 * kSecond));
}

TEST_F(PolicyListenerTest, OtherDestinationsDoNotWakeIt) {
  for (const auto& to : {kOwnMac, kBroadcast, *MacAddress::parse("01:80:c2:00:00:0d"),
                         *MacAddress::parse("01:80:c2:00:01:0e"), *MacAddress::parse("03:bf:0a:4d:00:64")}) {
    say("evil", to);
    EXPECT_FALSE(wakes()) << to.text();
    EXPECT_EQ(heard(), "");
  }
}

TEST_F(PolicyListenerTest, OtherTrafficDoesNotWakeIt) {
  const auto others = std::move(*FrameSocket::open("veth1", 0x0806, std::nullopt));
  ASSERT_TRUE(others->send(kWireMac, kGroup, wire::encode(told("evil"))));
  ASSERT_TRUE(others->send(kWireMac, kBroadcast, arp_probe(kWireMac, kDedicated)));
  EXPECT_FALSE(wakes());
}

TEST_F(PolicyListenerTest, ATaggedOneIsNotTaken) {
  auto tagged = wire::encode(told("evil"));
  const std::array<uint8_t, 4> tag = {0, 7, NLB_ETHERTYPE_POLICY >> 8, NLB_ETHERTYPE_POLICY & 0xff};
  tagged.insert(tagged.begin(), tag.begin(), tag.end());
  const auto vlan = std::move(*FrameSocket::open("veth1", 0x8100, std::nullopt));
  ASSERT_TRUE(vlan->send(kWireMac, kGroup, tagged));
  EXPECT_FALSE(wakes());
  EXPECT_EQ(heard(), "");
}

TEST_F(PolicyListenerTest, AGroupAsSourceAndBadContentsAreNotTaken) {
  say("evil", kGroup, kGroup);
  EXPECT_EQ(heard(), "");
  say("web1");
  auto cut = wire::encode(told("evil"));
  cut.resize(cut.size() - 1);
  ASSERT_TRUE(wire_->send(kWireMac, kGroup, cut));
  EXPECT_EQ(heard(), "web1");
}

TEST_F(PolicyListenerTest, HearsAgainAfterTheAdapterWasDown) {
  sh("ip link set veth0 down");
  listener_->read();
  sh("ip link set veth0 up");
  wait_for_carrier("veth0");
  say("web1");
  EXPECT_EQ(heard(), "web1");
}

TEST_F(PolicyListenerTest, AFloodDoesNotHoldTheCaller) {
  for (int i = 0; i < 2000; ++i) say("flood");
  say("web1");
  int turns = 0;
  while (wakes() && ++turns < 100) listener_->read();
  EXPECT_GT(turns, 1);
  EXPECT_LT(turns, 100);
  EXPECT_EQ(heard(), "web1");
}

TEST_F(PolicyListenerTest, WaitsNoLongerThanNeeded) {
  const Nanos begin = boottime_now();
  wait_for_policy(*listener_, begin + 50 * kMillisecond);
  EXPECT_GE(boottime_now() - begin, 50 * kMillisecond);
  say("web1");
  wait_for_policy(*listener_, boottime_now() + 60 * kSecond);
  EXPECT_LT(boottime_now() - begin, 30 * kSecond);
  EXPECT_EQ(heard(), "web1");
}

}  // namespace
}  // namespace nlb::testing
