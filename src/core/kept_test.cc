// SPDX-License-Identifier: Apache-2.0
// What a host keeps, and when it lets go: the rule of docs/decisions/0010-kept-buckets.md, case by case.
// Among several hosts: sim/returning_test.cc.
#include "core/kept.hh"

#include <gtest/gtest.h>

#include "wire/heartbeat.hh"

namespace nlb::core {
namespace {

constexpr Nanos kTimeout = 60 * kSecond, kStart = 1000 * kSecond;

std::vector<PortRule> rules() {
  std::vector<PortRule> all(5);
  all[1].timeout_s = 60;
  all[2].timeout_s = 600;
  all[3].timeout_s = 60, all[3].affinity = Affinity::none;
  all[4].timeout_s = 60, all[4].mode = FilteringMode::single;
  return all;
}

struct Kept : testing::Test {
  Keeper keeper{rules(), 0};
  SlotBuckets owned = SlotBuckets(kMaxSlots), seen = SlotBuckets(kMaxSlots);
  SlotTables others = SlotTables(kMaxSlots);  // everything is host 2's by the table
  std::vector<bool> may = std::vector<bool>(kMaxSlots, true);
  Kept() {
    for (auto& table : others) table.fill(2);
    for (auto& buckets : owned) buckets.set(7).set(8);
  }
  void see(std::size_t slot, std::size_t bucket, Nanos at) {
    auto one = SlotBuckets(kMaxSlots);
    one[slot].set(bucket);
    keeper.see(one, at);
  }
  void choose(Nanos at) { keeper.choose(owned, others, 1, may, at); }
  [[nodiscard]] bool due(std::size_t slot, std::size_t bucket, Nanos at) const {
    return keeper.due(at)[slot][bucket];
  }
};

TEST_F(Kept, OnlyRulesThatSpreadByClientAndHaveATimeout) {
  EXPECT_EQ(keeper.slots(), (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(keeper.shortest_timeout(), kTimeout);
  EXPECT_EQ(keeper.longest_timeout(), 10 * kTimeout);
  EXPECT_FALSE(Keeper(std::vector<PortRule>(3), 0).any());
}

TEST_F(Kept, WhatIsOwnedAndLostAndWasVisitedWithinTheTimeout) {
  see(1, 7, kStart);
  see(1, 9, kStart);  // not owned
  others[1][8] = 1;   // not lost
  see(1, 8, kStart);
  choose(kStart + kTimeout - 1);
  EXPECT_EQ(keeper.kept()[1], BucketSet().set(7));
  EXPECT_TRUE(keeper.kept()[2].none()) << "nobody came";
  choose(kStart + kTimeout);
  EXPECT_FALSE(keeper.keeps_anything()) << "nobody came for the timeout";
}

TEST_F(Kept, NothingOfARuleThatMayNot) {
  see(1, 7, kStart);
  see(2, 7, kStart);
  may[1] = false;
  choose(kStart + 1);
  EXPECT_TRUE(keeper.kept()[1].none());
  EXPECT_TRUE(keeper.kept()[2][7]);
}

TEST_F(Kept, IsDueATimeoutAfterTheLastVisit) {
  see(1, 7, kStart);
  choose(kStart + 1);
  EXPECT_FALSE(due(1, 7, kStart + kTimeout - 1));
  see(1, 7, kStart + kTimeout / 2);
  EXPECT_FALSE(due(1, 7, kStart + kTimeout));
  EXPECT_TRUE(due(1, 7, kStart + kTimeout / 2 + kTimeout));
  keeper.let_go(keeper.due(kStart + 2 * kTimeout));
  EXPECT_FALSE(keeper.keeps_anything());
}

TEST_F(Kept, IsDueAtTheBoundWhoeverComes) {
  keeper.keep_at_most(5 * kTimeout);
  for (int i = 0; i <= 10; ++i) see(1, 7, kStart + i * kTimeout / 2);
  choose(kStart + 5 * kTimeout);
  for (int i = 11; i < 20; ++i) see(1, 7, kStart + i * kTimeout / 2);
  EXPECT_FALSE(due(1, 7, kStart + 10 * kTimeout - 1));
  EXPECT_TRUE(due(1, 7, kStart + 10 * kTimeout));
}

TEST_F(Kept, TheBoundCountsFromTheFirstViewThatKeeps) {
  keeper.keep_at_most(2 * kTimeout);
  see(1, 7, kStart);
  choose(kStart + 1);
  see(1, 7, kStart + kTimeout);
  choose(kStart + kTimeout);  // another view, still lost
  see(1, 7, kStart + 2 * kTimeout);
  EXPECT_TRUE(due(1, 7, kStart + 2 * kTimeout + 1));
  others[1][7] = 1;  // the table gives it back, and takes it again
  choose(kStart + 2 * kTimeout);
  others[1][7] = 2;
  choose(kStart + 2 * kTimeout);
  EXPECT_FALSE(due(1, 7, kStart + 2 * kTimeout + 1));
}

TEST_F(Kept, ASummarySaysUntilWhen) {
  EXPECT_TRUE(keeper.summary().empty());
  see(1, 7, kStart);
  see(1, 8, kStart + kSecond);
  choose(kStart + 2 * kSecond);
  const auto all = keeper.summary();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].slot, 1u);
  EXPECT_EQ(all[0].buckets, 2u);
  EXPECT_EQ(all[0].since, kStart + 2 * kSecond);
  EXPECT_EQ(all[0].first_move, kStart + kTimeout);
  EXPECT_EQ(all[0].last_move, kStart + kSecond + kTimeout);
}

TEST(KeptOwners, ListsStandOverTheTableAndTheLowerIdWins) {
  SlotTables tables(kMaxSlots);
  tables[1].fill(5);
  SlotBuckets of_2(kMaxSlots), of_3(kMaxSlots);
  of_2[1].set(10).set(11);
  of_3[1].set(11).set(12);
  const std::array members = {MemberKept{2, &of_2}, MemberKept{3, &of_3}};
  const auto owners = owners_with_kept(tables, members);
  EXPECT_EQ(owners[1][9], 5);
  EXPECT_EQ(owners[1][10], 2);
  EXPECT_EQ(owners[1][11], 2);
  EXPECT_EQ(owners[1][12], 3);
}

// Every pair of numbers, and every distance that the rule speaks of.
TEST(KeptGenerations, AreOrderedUpToFifteenApart) {
  for (uint8_t first = 1; first <= wire::kMaxKeptGeneration; ++first) {
    EXPECT_FALSE(is_newer_kept(first, first));
    uint8_t later = first;
    for (int ahead = 1; ahead < wire::kMaxKeptGeneration; ++ahead) {
      later = next_kept_generation(later);
      ASSERT_TRUE(later >= 1 && later <= wire::kMaxKeptGeneration);
      EXPECT_EQ(is_newer_kept(later, first), ahead <= 15) << int{first} << " and " << ahead << " later";
    }
  }
  EXPECT_EQ(next_kept_generation(0), 1) << "the first of a view";
}

}  // namespace
}  // namespace nlb::core
