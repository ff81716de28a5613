// SPDX-License-Identifier: Apache-2.0
// Hosts that come one after the other: how many views that costs, and how long each waits.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/world.hh"

namespace nlb::sim {
namespace {

constexpr Nanos kD = 500 * kMillisecond;

struct Joining {
  World world;
  Random random;
  std::array<int, kMaxHosts + 1> views{};  // that each host came to own its share in

  explicit Joining(uint64_t seed) : world(seed, 50, 10), random(mix(seed)) {
    if (std::getenv("NLB_TRACE") != nullptr) world.tell_story();
    world.on_notice = [this](HostId id, const core::Notice& notice) {
      if (notice.kind == core::Notice::Kind::converged) ++views[id];
    };
  }
  void serve(std::set<HostId> hosts) {
    for (HostId id : hosts) world.add(id);
    ASSERT_TRUE(world.run_until_converged(hosts, 3 * kSecond));
    world.run_for(2 * kSecond + random.between(0, 50 * kMillisecond));
  }
  // One to three at once, spread over that time.
  template <typename Come>
  void spread_over(Nanos spread, HostId last, Come come) {
    std::vector<Nanos> times;
    while (times.size() < last) {
      const Nanos at = world.now() + random.between(0, spread);
      for (uint32_t few = 1 + random.below(3); few > 0; --few)
        times.push_back(at + random.between(0, 20 * kMillisecond));
    }
    std::ranges::sort(times);
    for (HostId id = 1; id <= last; ++id) {
      world.run_until(std::max(world.now(), times[id - 1u]));
      come(id);
    }
  }
  ~Joining() {
    for (const auto& violation : world.violations()) ADD_FAILURE() << violation.text();
  }
};

std::set<HostId> up_to(HostId last) {
  std::set<HostId> hosts;
  for (HostId id = 1; id <= last; ++id) hosts.insert(id);
  return hosts;
}

TEST(JoinStorm, SixteenThatComeAFewAtATimeCostFewViews) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Joining joining(seed);
    joining.spread_over(800 * kMillisecond, 16, [&](HostId id) { joining.world.add(id); });
    ASSERT_TRUE(joining.world.run_until_converged(up_to(16), kD)) << "seed " << seed;
    EXPECT_LE(*std::ranges::max_element(joining.views), 8) << "seed " << seed;
  }
}

// As daemons do that have to bind their adapter first.
TEST(JoinStorm, SixteenThatWereHeardBeforeTheyTakePartCostFewViews) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Joining joining(seed);
    for (HostId id = 1; id <= 16; ++id) {
      joining.world.add(id);
      joining.world.command(id, core::HostEvent::stop);
    }
    joining.world.run_for(kSecond);
    joining.spread_over(800 * kMillisecond, 16,
                        [&](HostId id) { joining.world.command(id, core::HostEvent::start); });
    ASSERT_TRUE(joining.world.run_until_converged(up_to(16), kD)) << "seed " << seed;
    EXPECT_LE(*std::ranges::max_element(joining.views), 8) << "seed " << seed;
  }
}

TEST(JoinStorm, WhoComesAloneIsLetInAtOnce) {
  Nanos waited = 0;
  constexpr int kTimes = 20;
  for (uint64_t seed = 1; seed <= kTimes; ++seed) {
    Joining joining(seed);
    joining.serve({1, 2, 3});
    const Nanos begun = joining.world.now();
    joining.world.add(4);
    ASSERT_TRUE(joining.world.run_until_converged(up_to(4), kD)) << "seed " << seed;
    waited += joining.world.now() - begun;
  }
  EXPECT_LT(waited / kTimes, 120 * kMillisecond) << "heard, believed, and so for a period";
}

// One every 100 ms for two seconds: each is less than three periods after the one before it.
TEST(JoinStorm, NobodyWaitsForLongerThanDForThoseAfterIt) {
  constexpr HostId kLast = 24;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Joining joining(seed);
    joining.serve({1, 2, 3});
    std::array<Nanos, kLast + 1> came{}, waited{};
    joining.world.on_notice = [&](HostId id, const core::Notice& notice) {
      if (notice.kind == core::Notice::Kind::converged && waited[id] == 0)
        waited[id] = joining.world.now() - came[id];
    };
    for (HostId id = 4; id <= kLast; ++id) {
      came[id] = joining.world.now();
      joining.world.add(id);
      joining.world.run_for(kD / 5);
    }
    ASSERT_TRUE(joining.world.run_until_converged(up_to(kLast), kD));
    const Nanos longest = *std::max_element(waited.begin() + 4, waited.end());
    EXPECT_LE(longest, kD + 250 * kMillisecond) << "seed " << seed << ": heard, put off, admitted";
  }
}

TEST(JoinStorm, NoEvictionWaitsForThoseWhoCome) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Joining joining(seed);
    joining.serve({1, 2, 3});
    joining.world.kill_host(3);
    joining.world.run_for(400 * kMillisecond);
    HostId id = 4;
    Nanos gone_at = 0;
    joining.world.on_notice = [&](HostId at, const core::Notice& notice) {
      if (at == 1 && notice.kind == core::Notice::Kind::peer_evicted) gone_at = joining.world.now();
    };
    const Nanos killed_at = joining.world.now() - 400 * kMillisecond;
    for (; id <= 9; ++id) {
      joining.world.add(id);
      joining.world.run_for(50 * kMillisecond);
    }
    ASSERT_NE(gone_at, 0) << "seed " << seed;
    EXPECT_LE(gone_at - killed_at, kD + 60 * kMillisecond) << "seed " << seed;
  }
}

}  // namespace
}  // namespace nlb::sim
