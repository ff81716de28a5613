// SPDX-License-Identifier: Apache-2.0
// What `nlb history` shows: causes, durations, and that the ring has an end.
#include "nlbd/convergence_history.hh"

#include <gtest/gtest.h>

namespace {

using namespace nlb;
using Causes = std::vector<std::string>;

constexpr Nanos at(int64_t ms) {
  return 1000 * kSecond + ms * kMillisecond;
}

TEST(ConvergenceHistory, BeginsWithItsFirstCauseAndEndsConverged) {
  ConvergenceHistory history;
  history.add_cause("host 2: silent", at(0), 5000);
  history.add_cause("host 2: evicted", at(30), 5030);
  history.view_changed(3, 0b101, "view 3", at(40), 5040);
  ASSERT_EQ(history.entries().size(), 1U);
  EXPECT_EQ(history.entries().front().duration_ms, -1);
  EXPECT_EQ(history.count(), 0U);
  history.converged(3, 0b101, at(47));
  const auto entry = history.entries().front();
  EXPECT_EQ(entry.time_ms, 5000);
  EXPECT_EQ(entry.view, 3U);
  EXPECT_EQ(entry.members, 0b101U);
  EXPECT_EQ(entry.causes, (Causes{"host 2: silent", "host 2: evicted"}));
  EXPECT_EQ(entry.duration_ms, 47);
  EXPECT_EQ(history.count(), 1U);
}

TEST(ConvergenceHistory, AnotherViewBeforeTheFirstHasSettledIsTheSameConvergence) {
  ConvergenceHistory history;
  history.view_changed(1, 0b11, "view 1 (host 2 takes no new connections)", at(0), 1);
  history.add_cause("host 3: joins", at(10), 11);
  history.add_cause("host 3: joins", at(11), 12);
  history.view_changed(2, 0b111, "view 2", at(12), 13);
  history.converged(2, 0b111, at(20));
  ASSERT_EQ(history.entries().size(), 1U);
  EXPECT_EQ(history.entries().front().causes,
            (Causes{"view 1 (host 2 takes no new connections)", "host 3: joins"}));
  EXPECT_EQ(history.entries().front().duration_ms, 20);
  EXPECT_EQ(history.entries().front().members, 0b111U);
}

TEST(ConvergenceHistory, ACauseWithoutEffectIsForgotten) {
  ConvergenceHistory history;
  history.add_cause("this host: reload", at(0), 1);
  history.view_changed(4, 1, "view 4", at(2001), 2002);
  EXPECT_EQ(history.entries().front().causes, Causes{"view 4"});
  EXPECT_EQ(history.entries().front().time_ms, 2002);
}

TEST(ConvergenceHistory, StandingStillIsNoConvergence) {
  ConvergenceHistory history;
  history.takes_part(false, at(0));
  history.view_changed(6, 0b111, "in no view: drained", at(1), 1);
  EXPECT_EQ(history.entries().front().duration_ms, 0);
  EXPECT_EQ(history.entries().front().members, 0U);
  EXPECT_EQ(history.count(), 0U);
  history.takes_part(true, at(5000));
  history.add_cause("this host: start", at(5000), 5001);
  history.view_changed(7, 0b111, "view 7", at(5100), 5101);
  history.converged(7, 0b111, at(5110));
  ASSERT_EQ(history.entries().size(), 2U);
  EXPECT_EQ(history.entries().back().duration_ms, 110);
  history.view_changed(8, 0b111, "view 8", at(6000), 6001);
  history.takes_part(false, at(6005));
  EXPECT_EQ(history.entries().back().duration_ms, 5);
}

TEST(ConvergenceHistory, IsBounded) {
  ConvergenceHistory history;
  for (uint32_t view = 1; view <= 100; ++view) {
    for (int cause = 0; cause < 20; ++cause) history.add_cause(std::to_string(cause), at(view), view);
    history.view_changed(view, 1, "", at(view), view);
    history.converged(view, 1, at(view));
  }
  EXPECT_EQ(history.entries().size(), ConvergenceHistory::kEntries);
  EXPECT_EQ(history.entries().front().view, 100 - ConvergenceHistory::kEntries + 1);
  EXPECT_EQ(history.entries().back().causes.size(), ConvergenceHistory::kCauses);
  EXPECT_EQ(history.count(), 100U);
}

}  // namespace
