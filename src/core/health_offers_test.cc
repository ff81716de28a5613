// SPDX-License-Identifier: Apache-2.0
// Failed checks → offers → owner tables: each combination of three hosts, a rule and what was configured.
#include "core/health_offers.hh"

#include <gtest/gtest.h>

namespace nlb::core {
namespace {

constexpr std::array kRule = {OnHealthFailure::rule, OnHealthFailure::host};

std::array<uint8_t, kMaxRules> offers_of(std::initializer_list<uint8_t> first) {
  std::array<uint8_t, kMaxRules> offers{};
  std::copy(first.begin(), first.end(), offers.begin());
  return offers;
}

TEST(HealthOffers, ARuleIsOutAndTheOthersAreNot) {
  const auto well = offers_of({101, 30, 7});
  const std::vector<FailedCheck> failed = {{1, OnHealthFailure::rule, AllDown::closed}};
  const auto offered = offers_with(failed, well, 3);
  EXPECT_EQ(offered.offers, offers_of({101, wire::kOfferUnhealthy, 7}));
  EXPECT_EQ(offered.service, Service::in);
}

TEST(HealthOffers, WithAllDownOpenTheOfferIsKeptForTheCaseThatAllAreOut) {
  const auto well = offers_of({101, 0, 64});
  for (const auto on_failure : kRule) {
    const std::vector<FailedCheck> failed = {{0, on_failure, AllDown::open}};
    const auto offered = offers_with(failed, well, 3);
    const bool host = on_failure == OnHealthFailure::host;
    EXPECT_EQ(offered.offers, host ? offers_of({203, 102, 166}) : offers_of({203, 0, 64}));
    EXPECT_EQ(offered.service, host ? Service::as_last : Service::in);
  }
}

TEST(HealthOffers, WhereOneOfSeveralSaysClosedItIsClosed) {
  const auto well = offers_of({101, 101});
  const std::vector<FailedCheck> failed = {{0, OnHealthFailure::rule, AllDown::closed},
                                           {1, OnHealthFailure::host, AllDown::open}};
  const auto offered = offers_with(failed, well, 2);
  EXPECT_EQ(offered.offers, offers_of({wire::kOfferUnhealthy, 203}));
  EXPECT_EQ(offered.service, Service::as_last);
}

TEST(HealthOffers, WhatIsDrainedOrDisabledStaysSo) {
  const auto switched = offers_of({wire::kOfferDrained, wire::kOfferDisabled});
  for (const auto all_down : {AllDown::open, AllDown::closed}) {
    const std::vector<FailedCheck> failed = {{0, OnHealthFailure::host, all_down}};
    EXPECT_EQ(offers_with(failed, switched, 2).offers, switched);
  }
}

// Each of three hosts is well, out or serves as last; weights 0, 20 and equal.
TEST(HealthOffers, WhoServesIsWhoIsWellElseWhoServesAsLast) {
  const std::vector<PortRule> rules(1);
  constexpr std::array<uint8_t, 3> kWeights = {0, 20, wire::kOfferEqual};
  for (int states = 0; states < 27; ++states) {
    std::vector<MemberOffer> members;
    std::array<int, 3> state = {states % 3, states / 3 % 3, states / 9};
    for (std::size_t i = 0; i < 3; ++i) {
      std::vector<FailedCheck> failed;
      if (state[i] != 0)
        failed = {{0, OnHealthFailure::rule, state[i] == 1 ? AllDown::open : AllDown::closed}};
      MemberOffer member{static_cast<HostId>(i + 1)};
      member.offers = offers_with(failed, offers_of({kWeights[i]}), 1).offers;
      members.push_back(member);
    }
    const bool somebody_well = state[1] == 0 || state[2] == 0;  // host 1 has no weight
    const auto table = owners_of_slot(0, rules, members);
    for (std::size_t i = 0; i < 3; ++i) {
      const bool serves = i > 0 && (state[i] == 0 || (!somebody_well && state[i] == 1));
      EXPECT_EQ(std::count(table.begin(), table.end(), i + 1) > 0, serves) << states << " host " << i + 1;
    }
    const bool failed_somewhere = state[0] + state[1] + state[2] > 0;
    EXPECT_EQ(all_are_unhealthy(0, rules, members), !somebody_well && failed_somewhere) << states;
  }
}

}  // namespace
}  // namespace nlb::core
