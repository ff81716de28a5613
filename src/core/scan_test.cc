// SPDX-License-Identifier: Apache-2.0
// When a host looks through the socket table, and how much of a processor that may take.
#include <gtest/gtest.h>

#include "core/host.hh"

namespace nlb::core {
namespace {

// A host that drains alone, with connections that do not end, whose walks take `walk`.
struct Draining {
  Host host{[] {
              Settings settings;
              settings.id = 1;
              settings.incarnation = 1;
              return settings;
            }(),
            0};
  Nanos now = 0, walk, walk_ends = 0, walked = 0;
  std::optional<uint32_t> token;
  int walks = 0, answers = 0;
  bool fails_once = false;

  explicit Draining(Nanos walk_time) : walk(walk_time) {
    take(host.on_bind(true, "", now));
    take(host.command(HostEvent::start, now));
  }
  void take(const Actions& actions) {
    if (!actions.scan) return;
    token = actions.scan;
    walk_ends = now + walk;
    walked += walk;
    ++walks;
  }
  void run_for(Nanos time) {
    for (const Nanos end = now + time; now < end; now += kMillisecond) {
      if (now >= host.next_wakeup()) take(host.on_tick(now));
      if (!token || now < walk_ends) continue;
      const uint32_t answered = *token;
      token.reset();
      take(fails_once ? host.on_scan_failed(answered, now)
                      : host.on_scan(answered, SlotBuckets(kMaxSlots), 1, now));
      fails_once = false;
      ++answers;
    }
  }
  void end_a_walk() {
    for (const int before = answers; answers == before;) run_for(kMillisecond);
  }
  void drain() { take(host.command(HostEvent::drainstop, now)); }
};

TEST(Scan, OfAShortTableIsRepeatedFourTimesASecondInADrain) {
  Draining one(kMillisecond);
  one.run_for(5 * kSecond);
  ASSERT_EQ(one.host.state(), HostState::converged);
  one.drain();
  one.walks = 0;
  one.run_for(10 * kSecond);
  EXPECT_NEAR(one.walks, 40, 2);
}

TEST(Scan, OfALongTableTakesAQuarterOfTheTime) {
  Draining one(400 * kMillisecond);
  one.run_for(5 * kSecond);
  ASSERT_EQ(one.host.state(), HostState::converged);
  one.drain();
  one.walked = 0;
  one.run_for(60 * kSecond);
  EXPECT_EQ(one.host.state(), HostState::draining);
  EXPECT_LE(one.walked, 16 * kSecond);
  EXPECT_GE(one.walked, 12 * kSecond) << "it does look";
}

TEST(Scan, AfterAWalkThatTookVeryLongComesWithinTenSecondsAndAPeriod) {
  Draining one(8 * kSecond);
  one.run_for(20 * kSecond);
  one.drain();
  one.walks = 0;
  one.run_for(60 * kSecond);
  EXPECT_GE(one.walks, 3);
}

TEST(Scan, OfANewViewRestsForNothingNotEvenWhenItFails) {
  const Nanos walk = 400 * kMillisecond, a_period = 100 * kMillisecond;
  Draining one(walk);
  const auto asked_after = [&] {
    const Nanos began = one.now;
    for (const int before = one.walks; one.walks == before;) one.run_for(kMillisecond);
    return one.now - began;
  };
  const Nanos first = asked_after();
  one.run_for(2 * kSecond);
  one.drain();
  one.end_a_walk();  // there would be 1.2 s of rest
  one.take(one.host.command(HostEvent::stop, one.now));
  one.take(one.host.command(HostEvent::start, one.now));
  EXPECT_LE(asked_after(), first + a_period);
  one.fails_once = true;
  EXPECT_LE(asked_after(), walk + a_period);
}

}  // namespace
}  // namespace nlb::core
