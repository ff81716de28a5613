// SPDX-License-Identifier: Apache-2.0
// The record against an oracle that reads the whole history anew each time: all histories up to twelve
// results, and long random ones.
#include "core/health_record.hh"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace nlb::core {
namespace {

struct Result {
  bool good;
  Nanos at;
};
using History = std::vector<Result>;

// A second reading of the rules: stretches of one verdict, found by looking at the ends of the history.
struct Oracle {
  Health health = Health::checking;
  Nanos since = 0;
  std::vector<Nanos> stood_well;  // how long each well stretch that came after a fall lasted, newest last

  uint32_t successes_needed(const HealthCheck& check) const {
    uint32_t factor = 1;
    for (auto it = stood_well.rbegin(); it != stood_well.rend() && factor < 32; ++it) {
      if (*it >= check.flap_window_s * kSecond) break;
      factor *= 2;
    }
    return check.rise * factor;
  }
  static bool ends_with(const History& history, std::size_t from, std::size_t count, bool good) {
    if (history.size() - from < count) return false;
    for (std::size_t i = history.size() - count; i < history.size(); ++i)
      if (history[i].good != good) return false;
    return true;
  }
};

Oracle read_anew(const HealthCheck& check, const History& history) {
  Oracle oracle;
  bool fell_before = false;
  std::size_t from = 0;
  History read;
  for (const Result& result : history) {
    read.push_back(result);
    const Health before = oracle.health;
    if (before == Health::checking)
      oracle.health = result.good ? Health::healthy : Health::unhealthy;
    else if (before == Health::healthy && Oracle::ends_with(read, from, check.fall, false))
      oracle.health = Health::unhealthy;
    else if (before == Health::unhealthy &&
             Oracle::ends_with(read, from, oracle.successes_needed(check), true))
      oracle.health = Health::healthy;
    if (oracle.health == before) continue;
    if (oracle.health == Health::unhealthy) {
      if (before == Health::healthy && fell_before) oracle.stood_well.push_back(result.at - oracle.since);
      fell_before = true;
    }
    oracle.since = result.at;
    from = read.size();
  }
  return oracle;
}

HealthCheck check_of(uint32_t fall, uint32_t rise, uint32_t flap_window_s) {
  HealthCheck check;
  check.fall = fall;
  check.rise = rise;
  check.flap_window_s = flap_window_s;
  return check;
}

void compare(const HealthCheck& check, const History& history) {
  HealthRecord record(check, false);
  bool healthy = record.healthy();
  for (std::size_t i = 0; i < history.size(); ++i) {
    const bool changed = record.on_result(history[i].good, history[i].at);
    ASSERT_EQ(changed, record.healthy() != healthy);
    healthy = record.healthy();
  }
  const Oracle oracle = read_anew(check, history);
  std::string text;
  for (const Result& result : history) text += result.good ? 'S' : 'F';
  ASSERT_EQ(record.health(), oracle.health) << text;
  ASSERT_EQ(record.since(), oracle.since) << text;
  if (record.health() == Health::unhealthy) {
    ASSERT_EQ(record.needed(), oracle.successes_needed(check)) << text;
  }
}

TEST(HealthRecord, IsWhatTheWholeHistorySays) {
  constexpr uint32_t kResults = 12;
  for (uint32_t fall = 1; fall <= 3; ++fall)
    for (uint32_t rise = 1; rise <= 3; ++rise)
      for (const uint32_t window_s : {0u, 4u, 60u})
        for (uint32_t bits = 0; bits < 1u << kResults; ++bits) {
          History history;
          for (uint32_t i = 0; i < kResults; ++i)
            history.push_back({(bits >> i & 1) != 0, (i + 1) * kSecond});
          ASSERT_NO_FATAL_FAILURE(compare(check_of(fall, rise, window_s), history));
        }
}

TEST(HealthRecord, IsWhatLongHistoriesSay) {
  std::mt19937 random(11);  // NOLINT: the same histories each time
  for (int run = 0; run < 200; ++run) {
    History history;
    Nanos at = 0;
    bool good = true;
    for (int i = 0; i < 300; ++i) {
      if (random() % 4 == 0) good = !good;
      at += kSecond * (1 + static_cast<Nanos>(random() % 8));
      history.push_back({good, at});
    }
    const auto fall = static_cast<uint32_t>(1 + random() % 3), rise = static_cast<uint32_t>(1 + random() % 2);
    ASSERT_NO_FATAL_FAILURE(compare(check_of(fall, rise, 20), history));
  }
}

TEST(HealthRecord, UntilTheFirstResultItIsWhatItWasTakenFor) {
  HealthRecord new_one(check_of(3, 2, 60), false), added(check_of(3, 2, 60), true);
  EXPECT_FALSE(new_one.healthy());
  EXPECT_TRUE(added.healthy());
  EXPECT_TRUE(new_one.on_result(true, 5)) << "one success is enough at the start";
  EXPECT_TRUE(added.on_result(false, 5)) << "and one failure too";
  EXPECT_FALSE(added.healthy());
}

TEST(HealthRecord, OneThatFlapsHasToProveItselfLongerAndIsTrustedAgainLater) {
  HealthRecord record(check_of(1, 2, 60), false);
  Nanos now = 0;
  const auto feed = [&](bool good, uint32_t times) {
    for (; times > 0; --times) record.on_result(good, now += kSecond);
  };
  feed(true, 1);
  for (const uint32_t needed : {2u, 4u, 8u, 16u, 32u, 64u, 64u}) {
    feed(false, 1);
    ASSERT_EQ(record.needed(), needed);
    feed(true, needed - 1);
    ASSERT_FALSE(record.healthy());
    feed(true, 1);
    ASSERT_TRUE(record.healthy());
  }
  EXPECT_EQ(record.flaps(), 5u);
  feed(true, 60);
  feed(false, 1);
  EXPECT_EQ(record.needed(), 2u);
}

}  // namespace
}  // namespace nlb::core
