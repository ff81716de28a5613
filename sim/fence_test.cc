// SPDX-License-Identifier: Apache-2.0
// What a host makes of the switch's word that another one's port is fenced (docs/decisions/0018): it takes
// over at once, and only then; and whoever was fenced while it lived begins anew.
#include "sim/scenario.hh"

namespace nlb::sim {
namespace {

struct Fences : Scenario {
  std::map<core::Notice::Kind, int> notices;

  void SetUp() override {
    Scenario::SetUp();
    world.use_fences(11);
    world.on_notice = [this](HostId, const core::Notice& notice) { ++notices[notice.kind]; };
  }
  bool covered() {
    for (uint32_t bucket = 0; bucket < kBucketCount; ++bucket)
      if (world.acceptors(0, bucket).size() != 1) return false;
    return true;
  }
  // From the fault on until every bucket is somebody's again.
  Nanos gap(const std::string& fault) {
    plan(fault);
    world.run_for(kMillisecond);
    const Nanos begun = world.now();
    while (!covered() && world.now() - begun < 2 * kSecond) world.run_for(kMillisecond);
    return world.now() - begun + kMillisecond;
  }
  int count(core::Notice::Kind kind) { return notices[kind]; }
  uint64_t incarnation(Port port) { return world.host(port).settings().incarnation; }
};

TEST_F(Fences, WhoseMachineIsKilledIsReplacedWithoutWaitingForItsLease) {
  hosts(4);
  EXPECT_LT(gap("power@0+5000:2"), 15 * kMillisecond);
  EXPECT_GE(count(core::Notice::Kind::peer_fenced), 2);  // two accusers suffice
  EXPECT_TRUE(world.run_until_converged({1, 3, 4}, kSecond));
}

TEST_F(Fences, TheLastOneOfTwoServesAlone) {
  world.add_gateway();
  hosts(2);
  world.run_for(kSecond);  // it has listened for as long as who serves alone must
  EXPECT_LT(gap("power@0+5000:1"), 15 * kMillisecond);
}

TEST_F(Fences, WithoutTheNoticeItIsAsEver) {
  hosts(3);
  EXPECT_GT(gap("notice-lost@0+5000:1.2.3,power@0+5000:2"), 300 * kMillisecond);
  EXPECT_EQ(count(core::Notice::Kind::peer_fenced), 0);
}

// One host was told and the other was not: neither loses its lease meanwhile.
TEST_F(Fences, ANoticeThatReachesSomeCostsNobodyItsLease) {
  hosts(3);
  plan("notice-lost@0+5000:3,power@1+5000:2");
  for (int step = 0; step < 700; ++step) {
    world.run_for(kMillisecond);
    EXPECT_TRUE(world.node(1).lease_valid(world.now()) && world.node(3).lease_valid(world.now()));
  }
  EXPECT_TRUE(world.run_until_converged({1, 3}, kMillisecond));
}

TEST_F(Fences, WhoWasFencedAliveBeginsAnewAndComesBack) {
  hosts(3);
  const uint64_t before = incarnation(2);
  plan("port-down@0+40:2");
  world.run_for(50 * kMillisecond);
  EXPECT_EQ(count(core::Notice::Kind::peer_fenced), 2);
  EXPECT_EQ(count(core::Notice::Kind::fenced), 1);
  EXPECT_NE(incarnation(2), before);
  EXPECT_FALSE(world.host(2).ownership().owns_anything());
  EXPECT_TRUE(world.run_until_converged({1, 2, 3}, 2 * kSecond));
  EXPECT_FALSE(world.node(2).plug.fenced);
}

TEST_F(Fences, APortThatFlapsNeverHasTwoOwners) {
  hosts(4);
  for (int flap = 0; flap < 40; ++flap) {
    plan("port-down@0+" + std::to_string(1 + flap % 13) + ":2");
    world.run_for((5 + 37 * (flap % 11)) * kMillisecond);
  }
  EXPECT_GT(count(core::Notice::Kind::fenced), 3);
  EXPECT_TRUE(world.run_until_converged({1, 2, 3, 4}, 12 * kSecond));
}

// Its daemon has no turn and learns nothing: the fence outlasts its lease.
TEST_F(Fences, AFenceOutlastsTheLeaseOfWhoDoesNotHearOfIt) {
  hosts(3);
  plan("stall@0+6000:2,port-down@1+5:2");
  world.run_for(2900 * kMillisecond);
  EXPECT_TRUE(world.node(2).plug.fenced);
  world.run_for(200 * kMillisecond);
  EXPECT_FALSE(world.node(2).plug.fenced);
  EXPECT_FALSE(world.node(2).lease_valid(world.now()));
}

TEST_F(Fences, WhoMovesToAnotherSwitchIsNotFencedThere) {
  hosts(3);
  plan("migrate@0+90:2");
  world.run_for(2 * kSecond);
  EXPECT_EQ(count(core::Notice::Kind::peer_fenced), 0);
  EXPECT_EQ(count(core::Notice::Kind::peer_evicted), 0);
  EXPECT_EQ(world.counters().fences, 0U);
}

TEST_F(Fences, ANoticeOfAnEarlierLifeMeansNobody) {
  hosts(3);
  const uint64_t before = incarnation(2);
  world.kill_daemon(2);
  world.run_for(kSecond);
  world.restart_daemon(2);
  ASSERT_TRUE(world.run_until_converged({1, 2, 3}, 2 * kSecond));
  const Nanos now = world.node(1).clock.local(world.now());
  world.host(1).say_to_switch(77, now);
  world.perform(1, world.host(1).on_fence({2, before, 77}, 1, now));
  EXPECT_EQ(count(core::Notice::Kind::peer_fenced), 0);
  world.perform(1, world.host(1).on_fence({2, incarnation(2), 77}, 1, now));
  EXPECT_EQ(count(core::Notice::Kind::peer_fenced), 1);
}

TEST_F(Fences, ANumberThatWasNotSaidLatelyIsNotBelieved) {
  hosts(3);
  const Nanos now = world.node(1).clock.local(world.now());
  core::Host& host = world.host(1);
  const auto believed = [&](uint64_t nonce, Nanos at) {
    core::Host copy = host;
    for (const auto& notice : copy.on_fence({2, incarnation(2), nonce}, 1, at).notices)
      if (notice.kind == core::Notice::Kind::peer_fenced) return true;
    return false;
  };
  EXPECT_FALSE(believed(0, now));
  host.say_to_switch(5, now);
  EXPECT_TRUE(believed(5, now));
  EXPECT_FALSE(believed(6, now));
  host.say_to_switch(6, now);
  EXPECT_TRUE(believed(5, now) && believed(6, now));
  host.say_to_switch(7, now);
  EXPECT_FALSE(believed(5, now));
  EXPECT_FALSE(believed(7, now + core::SwitchNonces::kFresh));
  EXPECT_TRUE(believed(7, now + 50 * kMillisecond));
}

// It was said before the fence, and echoes what this host had said by then.
TEST_F(Fences, AFrameThatWasUnderWayIsNoSignOfLife) {
  hosts(3);
  core::Host one = world.host(1), two = world.host(2);
  const auto under_way = two.on_tick(two.next_wakeup()).sends;
  ASSERT_FALSE(under_way.empty());
  const Nanos now = world.node(1).clock.local(world.now());
  one.say_to_switch(9, now);
  (void)one.on_fence({2, incarnation(2), 9}, 1, now);
  for (const core::Send& send : under_way) (void)one.on_frame(send.frame, now + kMillisecond);
  EXPECT_FALSE(one.hears(2, now + kMillisecond));
}

// Told of one that lives all the same (as a switch must never do): the first answer to what this host has
// said since takes it back.
TEST_F(Fences, WhoLivesThoughFencedIsHeardAgain) {
  hosts(3);
  for (const Port port : {Port{1}, Port{3}}) {
    const Nanos now = world.node(port).clock.local(world.now());
    world.host(port).say_to_switch(9, now);
    world.perform(port, world.host(port).on_fence({2, incarnation(2), 9}, 1, now));
    EXPECT_FALSE(world.host(port).hears(2, now));
  }
  EXPECT_TRUE(world.run_until_converged({1, 2, 3}, 4 * kSecond));
}

}  // namespace
}  // namespace nlb::sim
