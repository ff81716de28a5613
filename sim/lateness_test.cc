// SPDX-License-Identifier: Apache-2.0
// Frames that come too late, pairs that do not hear each other, and ids that change their machine: found by
// the simulator, each as the shortest scenario that shows it. one-owner and the others are checked at every
// step.
#include <gtest/gtest.h>

#include "sim/world.hh"

namespace nlb::sim {
namespace {

struct Lateness : testing::Test {
  World world{7, 50, 10};  // D = 500 ms, L = 375 ms
  void SetUp() override {
    if (std::getenv("NLB_TRACE") != nullptr) world.tell_story();
  }
  void TearDown() override {
    for (const auto& violation : world.violations()) ADD_FAILURE() << violation.text();
  }
  void hosts(HostId count) {
    std::set<HostId> all;
    for (HostId id = 1; id <= count; ++id) {
      world.add(id);
      all.insert(id);
    }
    ASSERT_TRUE(world.run_until_converged(all, 3 * kSecond));
  }
  // Times count from now.
  void plan(const std::string& faults) {
    const auto parsed = parse_faults(faults);
    ASSERT_TRUE(parsed) << parsed.error().message;
    world.plan(*parsed);
  }
};

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

// The newcomer says that it holds nothing. That tells nothing of the machine whose id it has taken.
TEST_F(Lateness, AMachineThatTakesTheIdOfADeadDaemonDoesNotSpeakForItsConnections) {
  hosts(3);
  world.let_clients_come(true);
  world.run_for(10 * kSecond);
  plan("crash@0+9000:2,duplicate-id@80+731:2");
  world.run_for(15 * kSecond);
}

}  // namespace
}  // namespace nlb::sim
