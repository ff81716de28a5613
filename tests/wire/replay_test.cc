// SPDX-License-Identifier: Apache-2.0
// Sequence numbers: only growth is believed, up to the last number there is.
#include "wire/replay.hh"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace nlb::wire {
namespace {

constexpr uint64_t kLast = ~uint64_t{0};

TEST(NewestHeard, BelievesNothingBeforeAnIncarnationBegins) {
  NewestHeard heard;
  EXPECT_FALSE(heard.newer(1));
  EXPECT_FALSE(heard.accept(kLast));
  EXPECT_FALSE(heard.knows(0));
}

TEST(NewestHeard, AcceptsOnlyGrowth) {
  NewestHeard heard;
  heard.begin(5, 10);
  EXPECT_TRUE(heard.knows(5));
  EXPECT_FALSE(heard.knows(6));
  EXPECT_FALSE(heard.accept(10)) << "the same again";
  EXPECT_FALSE(heard.accept(9));
  EXPECT_TRUE(heard.accept(12)) << "a lost frame leaves a gap";
  EXPECT_FALSE(heard.accept(11)) << "overtaken";
  EXPECT_EQ(heard.sequence(), 12u);
}

TEST(NewestHeard, ForgetsAnEarlierIncarnation) {
  NewestHeard heard;
  heard.begin(5, 1000);
  heard.begin(6, 1);
  EXPECT_FALSE(heard.knows(5));
  EXPECT_TRUE(heard.accept(2));
}

TEST(NewestHeard, DoesNotWrap) {
  NewestHeard heard;
  heard.begin(5, kLast - 1);
  EXPECT_TRUE(heard.accept(kLast));
  for (const uint64_t sequence : {uint64_t{0}, uint64_t{1}, kLast, kLast - 1})
    EXPECT_FALSE(heard.accept(sequence));
  heard.begin(6, 0);
  EXPECT_TRUE(heard.accept(1));
}

// Oracle: a number is accepted exactly when it exceeds all that came before.
RC_GTEST_PROP(NewestHeardProperty, AgreesWithTheMaximum, (std::vector<uint64_t> sequences, uint64_t first)) {
  NewestHeard heard;
  heard.begin(1, first);
  std::vector<uint64_t> all = {first};
  for (const uint64_t sequence : sequences) {
    RC_ASSERT(heard.accept(sequence) == (sequence > *std::max_element(all.begin(), all.end())));
    all.push_back(sequence);
  }
}

TEST(WidenEcho, FindsTheNewestNumberWithTheseLowBits) {
  EXPECT_EQ(widen_echo(7, 7), 7u);
  EXPECT_EQ(widen_echo(7, 9), 7u);
  EXPECT_EQ(widen_echo(10, 9), std::nullopt) << "never sent";
  EXPECT_EQ(widen_echo(0xffffffff, 0x100000003), 0xffffffffu) << "sent before the low bits wrapped";
  EXPECT_EQ(widen_echo(2, 0x100000003), 0x100000002u);
  EXPECT_EQ(widen_echo(0xffffffff, kLast), kLast);
}

RC_GTEST_PROP(WidenEchoProperty, ReturnsWhatWasSentWithinTheSpan, (uint64_t newest, uint32_t age)) {
  RC_PRE(newest >= age);
  RC_ASSERT(widen_echo(static_cast<uint32_t>(newest - age), newest) == newest - age);
}

}  // namespace
}  // namespace nlb::wire
