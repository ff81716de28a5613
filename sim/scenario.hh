// SPDX-License-Identifier: Apache-2.0
// For tests that play a list of faults to a cluster: all invariants are checked at every step.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>

#include "sim/world.hh"

namespace nlb::sim {

struct Scenario : testing::Test {
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

struct Serving : Scenario {
  // Of all buckets, looked at each 50 ms for so long: how many were served?
  [[nodiscard]] double share_served(Nanos time) {
    int looks = 0, served = 0;
    for (const Nanos end = world.now() + time; world.now() < end;) {
      world.run_for(50 * kMillisecond);
      for (uint32_t bucket = 0; bucket < kBucketCount; bucket += 61, ++looks)
        served += world.acceptors(0, bucket).empty() ? 0 : 1;
    }
    return static_cast<double>(served) / looks;
  }
};

}  // namespace nlb::sim
