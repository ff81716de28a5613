// SPDX-License-Identifier: Apache-2.0
// Frames that come too late, pairs that do not hear each other, and ids that change their machine: found by
// the simulator, each as the shortest scenario that shows it. one-owner and the others are checked at every
// step.
#include "sim/scenario.hh"

namespace nlb::sim {
namespace {

using Lateness = Scenario;

TEST_F(Lateness, AHostWhoseFramesComeTooLateIsLeftOutOnce) {
  hosts(3);
  plan("late@0+20000:2:1.3:800000");
  ASSERT_TRUE(world.run_until_converged({1, 3}, 700 * kMillisecond));
  const auto view = world.host(1).view();
  world.run_for(15 * kSecond);
  EXPECT_EQ(world.host(1).view(), view) << "it comes and goes";
  EXPECT_EQ(world.host(2).phase(), core::Phase::none);
  world.run_for(6 * kSecond);
  EXPECT_TRUE(world.converged({1, 2, 3})) << "healed";
}

struct CommonLateness : Lateness, testing::WithParamInterface<const char*> {};

TEST_P(CommonLateness, TheLowestIdServesAloneUntilItEnds) {
  hosts(3);
  plan(std::string("late@0+20000:1.2.3:1.2.3:") + GetParam());
  for (int look = 0; look < 2; ++look) {
    world.run_for(5 * kSecond);
    for (uint32_t bucket = 0; bucket < kBucketCount; bucket += 97)
      ASSERT_EQ(world.acceptors(0, bucket), std::vector<Port>{1}) << bucket;
  }
  world.run_for(12 * kSecond);
  EXPECT_TRUE(world.converged({1, 2, 3})) << "healed";
}

INSTANTIATE_TEST_SUITE_P(Microseconds, CommonLateness,
                         testing::Values("200000", "375000", "500000", "700000"));

TEST_F(Lateness, TwoThatDoNotHearEachOtherDoNotTearTheViewOfThree) {
  hosts(3);
  const auto view = world.host(3).view();
  plan("bad-pair@0+5000:1:2");
  world.run_for(4 * kSecond);
  EXPECT_TRUE(world.converged({1, 2, 3})) << "the third hears both";
  EXPECT_LE(world.host(3).view().number, view.number + 1);
}

// Two configurations: the better group goes on, and the other one owns nothing, however late they hear of
// each other.
TEST(LateConfiguration, GroupsThatHearEachOtherTooLateAreNotBothServed) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed, 10, 6);
    world.set_delay(kMillisecond / 10, 55 * kMillisecond);
    for (HostId id = 1; id <= 3; ++id) world.add(id);
    world.plan(*parse_faults("config@2000+4000:2"));
    world.run_for(6 * kSecond);
    for (const auto& violation : world.violations()) ADD_FAILURE() << seed << ": " << violation.text();
  }
}

// A daemon that gets its turns late is listed late, so it is long until it and its namesake are judged.
TEST(LateNamesake, AMachineWithAnIdInUseOwnsNothingBesideItsView) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed, 50, 10);
    for (HostId id = 1; id <= 2; ++id) world.add(id);
    world.plan(*parse_faults("starve@2000+9823:1:-:558,duplicate-id@4000+7924:1"));
    world.run_for(12 * kSecond);
    for (const auto& violation : world.violations()) ADD_FAILURE() << seed << ": " << violation.text();
  }
}

}  // namespace
}  // namespace nlb::sim
