// SPDX-License-Identifier: Apache-2.0
// What one bad path, or one host that comes and goes, must not do: keep the others from serving. The faults
// last; who serves meanwhile is asked, by scenarios that the mix of faults has too seldom.
#include "sim/run.hh"
#include "sim/scenario.hh"

namespace nlb::sim {
namespace {

// They boot, and have heard one frame of each other when the path breaks.
struct BadFromTheStart : Serving, testing::WithParamInterface<const char*> {};

TEST_P(BadFromTheStart, TwoOfThreeServe) {
  plan(GetParam());
  world.run_for(2 * kMillisecond);
  for (HostId id = 1; id <= 3; ++id) world.add(id);
  world.run_for(2 * kSecond);
  EXPECT_EQ(share_served(5 * kSecond), 1);
}

INSTANTIATE_TEST_SUITE_P(Faults, BadFromTheStart,
                         testing::Values("one-way@20+60000:1:2", "one-way@20+60000:2:1",
                                         "one-way@20+60000:3:1", "one-way@20+60000:2:3",
                                         "bad-pair@20+60000:1:2", "late@0+60000:1.2:1.2:400000",
                                         "late@0+60000:2.3:2.3:400000"));

// A pair that does not hear each other stays in the view by the third one's word, which does not tell what a
// host offers, nor that it has left.
struct BadPair : Serving, testing::WithParamInterface<const char*> {};

TEST_P(BadPair, AChangeOfOneOfThemDoesNotStopTheView) {
  hosts(3);
  plan(std::string("bad-pair@0+60000:1:2,") + GetParam());
  world.run_for(6 * kSecond);
  EXPECT_EQ(share_served(5 * kSecond), 1);
}

INSTANTIATE_TEST_SUITE_P(Changes, BadPair,
                         testing::Values("weight@2000+60000:1:-:50", "weight@2000+60000:2:-:50",
                                         "drain@2000+60000:1", "drain@2000+60000:2", "deaf@1000+60000:2",
                                         "stop@2000+60000:1", "stop@2000+60000:2"));

// The others take it up no more at once: so it must not begin a view with them, to which they would yield.
struct Flapping : Serving, testing::WithParamInterface<const char*> {};

TEST_P(Flapping, DoesNotStopTheOthers) {
  hosts(5);
  std::string flaps;
  for (int begin = 0; begin < 16000; begin += 2000)
    flaps += (begin == 0 ? "" : ",") + ("one-way@" + std::to_string(begin)) + "+1000:" + GetParam();
  plan(flaps);
  world.run_for(4 * kSecond);
  EXPECT_GE(share_served(12 * kSecond), 0.9);
}

INSTANTIATE_TEST_SUITE_P(Paths, Flapping, testing::Values("1:2.3.4.5", "1:2.3", "1.2:3.4"));

// Each hears one that does not hear it.
TEST_F(Serving, ARingOfOneWayPathsIsNotWaitedOut) {
  hosts(3);
  plan("one-way@0+60000:1:2,one-way@0+60000:2:3,one-way@0+60000:3:1");
  world.run_for(3 * kSecond);
  for (uint32_t bucket = 0; bucket < kBucketCount; bucket += 61)
    EXPECT_FALSE(world.acceptors(0, bucket).empty()) << bucket;
}

// Held down for seconds, the other one is heard both ways, so the gateway is not asked; it need not answer.
TEST_F(Serving, AloneBesideAHeldDownHostThatIsHeardServes) {
  world.add_gateway();
  hosts(2);
  std::string flaps = "split@0+1000:1:2";
  for (int begin = 2000; begin < 10000; begin += 2000)
    flaps += ",split@" + std::to_string(begin) + "+1000:1:2";
  plan(flaps);
  world.run_for(3 * kSecond);
  EXPECT_EQ(share_served(6 * kSecond), 1);
}

// The better one of two that hear each other too late for a view is asked by nobody whether it can serve.
struct LateAndCutOff : Serving {};

TEST_F(LateAndCutOff, WhoeverMayServeServes) {
  world.add_gateway();
  plan("late@0+60000:1.2:1.2:300000,no-gateway@0+60000:1");
  for (HostId id = 1; id <= 2; ++id) world.add(id);
  world.run_for(4 * kSecond);
  EXPECT_EQ(share_served(5 * kSecond), 1);
}

// It may be able again at the very moment at which the other one begins.
TEST(LateAndCutOffUntil, TheyDoNotBothBegin) {
  for (int late_ms = 190; late_ms <= 310; late_ms += 30)
    for (int begins_ms = 900; begins_ms < 3000; begins_ms += 30) {
      World world(7, 50, 10);
      world.add_gateway();
      world.plan(*parse_faults("late@0+60000:1.2:1.2:" + std::to_string(late_ms) + "000,no-gateway@0+" +
                               std::to_string(begins_ms) + ":1"));
      for (HostId id = 1; id <= 2; ++id) world.add(id);
      world.run_for(5 * kSecond);
      int both = 0;
      for (const auto& violation : world.violations()) ADD_FAILURE() << begins_ms << ' ' << violation.text();
      for (const Nanos end = world.now() + kSecond; world.now() < end; world.run_for(50 * kMillisecond))
        both += world.acceptors(0, 0).size() == 2 ? 1 : 0;
      EXPECT_EQ(both, 0) << late_ms << " ms late, a gateway from " << begins_ms << " ms on";
    }
}

// Starved, and with losses, each is shown the other at a different time.
TEST(Namesakes, OneOfTwoGoesOn) {
  struct Case {
    uint64_t seed;
    const char* faults;
  };
  constexpr Case kCases[] = {
      {36,
       "duplicate-id@1282+60000:1,delay@0+6000:1.2.3:1.2.3:212000,loss@0+6000:1.2.3:1.2.3:420000,"
       "starve@1282+3000:1:-:598"},
      {65,
       "duplicate-id@458+60000:1,delay@0+6000:1.2.3:1.2.3:288000,loss@0+6000:1.2.3:1.2.3:510000,"
       "starve@458+3000:1:-:540"},
      {684,
       "duplicate-id@378+60000:1,delay@0+6000:1.2.3:1.2.3:69000,loss@0+6000:1.2.3:1.2.3:440000,"
       "starve@378+3000:1:-:252"},
      {1273,
       "duplicate-id@997+60000:1,delay@0+6000:1.2.3:1.2.3:118000,loss@0+6000:1.2.3:1.2.3:600000,"
       "starve@997+3000:1:-:352"},
      {1861,
       "duplicate-id@689+60000:1,delay@0+6000:1.2.3:1.2.3:187000,loss@0+6000:1.2.3:1.2.3:440000,"
       "starve@689+3000:1:-:404"}};
  for (const auto& [seed, faults] : kCases) {
    World world(seed, 50, 10);
    for (HostId id = 1; id <= 2; ++id) world.add(id);
    world.plan(*parse_faults(faults));
    world.run_for(12 * kSecond);
    const Port other = kMaxHosts;
    ASSERT_TRUE(world.node(other).namesake);
    const auto refused = [&](Port port) { return world.host(port).state() == core::HostState::refused; };
    EXPECT_NE(refused(1), refused(other)) << seed;
  }
}

// The one whose id it has is out of every view, so no member of ours: what it owns is as unknown.
TEST(Namesakes, WhoServesOutsideOurViewIsWaitedFor) {
  World world(208, 50, 10);
  for (HostId id = 1; id <= 2; ++id) world.add(id);
  world.plan(*parse_faults("starve@2000+9823:1:-:558,duplicate-id@4000+7924:1"));
  world.run_for(6 * kSecond);
  for (const auto& violation : world.violations()) ADD_FAILURE() << violation.text();
}

// It is not refused for the namesake, which gives way, but for its configuration, and says so.
TEST(Namesakes, OneThatGivesWayIsNotBlamedForADifference) {
  World world(7, 50, 10);
  std::map<core::Notice::Kind, int> said;
  world.on_notice = [&](HostId id, const core::Notice& notice) {
    if (id == 1 && notice.text.find("differs from that of host") != std::string::npos) ++said[notice.kind];
  };
  for (HostId id = 1; id <= 3; ++id) world.add(id);
  world.run_for(2 * kSecond);
  world.plan(*parse_faults("duplicate-id@0+60000:1,config@2000+60000:1"));
  world.run_for(4 * kSecond);
  EXPECT_EQ(said[core::Notice::Kind::duplicate_id], 0);
  EXPECT_EQ(said[core::Notice::Kind::config_mismatch], 1);
}

// Each hears another part of two groups of different configurations: who is refused is none of a group, and
// whoever was refused for it is so no more. Not at the rate of frames (churn), and not for long.
TEST_F(Serving, GroupsThatRefuseEachOtherInTurnComeToAnEnd) {
  hosts(5);
  plan("bad-pair@0+60000:1:2,bad-pair@0+60000:1:4,config@2000+60000:2.3.4");
  world.run_for(4 * kSecond);
  EXPECT_EQ(share_served(4 * kSecond), 1);
}

// Shortly after a machine's boot, "never" is no long time ago.
TEST(LateTurn, OfThisHostMakesNobodyPromptWhoNeverWas) {
  core::Settings one, two;
  one.id = 1;
  two.id = 2;
  one.incarnation = 101;
  two.incarnation = 102;
  core::Host host(one, 0), peer(two, 0);
  for (core::Host* each : {&host, &peer}) {
    (void)each->on_bind(true, "", 0);
    (void)each->command(core::HostEvent::start, 0);
  }
  for (const auto& send : host.on_tick(0).sends) (void)peer.on_frame(send.frame, kMillisecond);
  for (const auto& send : peer.on_tick(50 * kMillisecond).sends)
    (void)host.on_frame(send.frame, 400 * kMillisecond);  // its echo is older than a lease lasts
  ASSERT_TRUE(host.peers()[2].believed);
  (void)host.on_tick(450 * kMillisecond);
  EXPECT_EQ(host.peers()[2].prompt_at, 0);
}

// Two boot and form a view before they believe a third, which serves and hears of them as late.
TEST(LateAcquaintance, WhoIsHeardOnlyAfterTheViewBeganHasADelayToGiveWay) {
  RunOptions options;
  options.seed = 45;
  options.hosts = 4;
  options.duration = 135 * kSecond;
  options.faults = *parse_faults(
      "forge@58118+88:4,reorder@63022+5714:1.2.3.4:2:330000,duplicate-id@63424+638:1,drain@96144+6348:2,"
      "restart@122611+621:3,one-way@124682+7882:2:1.3.4,forge@125144+3865:1,weight@127424+6944:1:-:41,"
      "late@127741+5960:1.2.4:1.2.3.4:190000,power@130115+225:1.3");
  for (const auto& violation : run(options).violations) ADD_FAILURE() << violation.text();
}

}  // namespace
}  // namespace nlb::sim
