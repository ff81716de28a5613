// SPDX-License-Identifier: Apache-2.0
// Digests and offers: equal for configurations that mean the same to all, different for those that do not;
// and the cutting of held lists.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "sample_frames.hh"
#include "wire/layout.hh"

namespace nlb::wire {
namespace {

Config sample_config() {
  Config config;
  config.name = "web";
  config.vips = {{IpAddress::v4(0x0a4d0064), 24}, {*IpAddress::parse("2001:db8::64"), std::nullopt}};
  config.keys = sample_keys();
  PortRule web, mail, none;
  web.first_port = 80, web.last_port = 443, web.protocol = RuleProtocol::tcp;
  mail.first_port = mail.last_port = 25, mail.mode = FilteringMode::single, mail.handling_priority = 7;
  none.first_port = none.last_port = 23, none.mode = FilteringMode::disabled;
  config.rules = {web, mail, none};
  return config;
}

TEST(Digests, SayWhatIsConfigured) {
  const ConfigDigests digests = digests_of(sample_config(), 9);
  EXPECT_EQ(digests.mode, 1);
  EXPECT_EQ(digests.period_ms, 50);
  EXPECT_EQ(digests.tolerance, 10);
  EXPECT_EQ(digests.generation, 9u);
}

TEST(Digests, DifferInExactlyTheItemThatDiffers) {
  const ConfigDigests base = digests_of(sample_config(), 0);
  Config changed = sample_config();
  changed.vips.pop_back();
  EXPECT_NE(digests_of(changed, 0).vips, base.vips);
  EXPECT_EQ(digests_of(changed, 0).rules, base.rules);
  changed = sample_config();
  changed.keys.seed[15] ^= 1;
  EXPECT_NE(digests_of(changed, 0).seed, base.seed);
  EXPECT_EQ(digests_of(changed, 0).vips, base.vips);
}

TEST(Digests, CoverWhatARuleMeansToAll) {
  const uint32_t base = digests_of(sample_config(), 0).rules;
  const auto with = [&](auto&& change) {
    Config config = sample_config();
    change(config.rules[0]);
    return digests_of(config, 0).rules;
  };
  EXPECT_EQ(with([](PortRule&) {}), base);
  EXPECT_NE(with([](PortRule& r) { r.vip = sample_vip(); }), base);
  EXPECT_NE(with([](PortRule& r) { r.first_port = 81; }), base);
  EXPECT_NE(with([](PortRule& r) { r.last_port = 444; }), base);
  EXPECT_NE(with([](PortRule& r) { r.protocol = RuleProtocol::both; }), base);
  EXPECT_NE(with([](PortRule& r) { r.mode = FilteringMode::single; }), base);
  EXPECT_NE(with([](PortRule& r) { r.affinity = Affinity::none; }), base);
  EXPECT_NE(with([](PortRule& r) { r.timeout_s = 60; }), base);
  EXPECT_EQ(with([](PortRule& r) { r.weight = 10; }), base) << "a host's own";
  EXPECT_EQ(with([](PortRule& r) { r.handling_priority = 2; }), base) << "a host's own";
}

TEST(Digests, LeaveOutWhatTheModeDoesNotUse) {
  Config config = sample_config();
  const uint32_t base = digests_of(config, 0).rules;
  config.rules[1].affinity = Affinity::network;
  EXPECT_EQ(digests_of(config, 0).rules, base);
}

TEST(Digests, DoNotDependOnTheOrderInTheFile) {
  const Config base = sample_config();
  Config config = base;
  std::vector<std::size_t> order = {0, 1, 2};
  do {
    for (std::size_t i = 0; i < 3; ++i) config.rules[i] = base.rules[order[i]];
    std::reverse(config.vips.begin(), config.vips.end());
    EXPECT_EQ(digests_of(config, 3), digests_of(base, 3));
    EXPECT_EQ(offers_of(config), offers_of(base));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Offers, StandInTheOrderOfTheRules) {
  Config config = sample_config();
  EXPECT_EQ(rule_order(config.rules), (std::vector<std::size_t>{2, 1, 0}));
  std::array<uint8_t, kMaxRules> expected{};
  expected[0] = kOfferDisabled;
  expected[1] = 7;
  expected[2] = kOfferEqual;
  EXPECT_EQ(offers_of(config), expected);
  config.rules[0].weight = 0;
  expected[2] = 0;
  EXPECT_EQ(offers_of(config), expected);
}

TEST(SplitHeld, IsEmptyWhenNothingIsHeld) {
  EXPECT_TRUE(split_held({}).empty());
  EXPECT_TRUE(split_held(std::vector<std::bitset<kBucketCount>>(kMaxSlots)).empty());
}

TEST(SplitHeld, CutsAllSlotsIntoThirtyThreeParts) {
  std::vector<std::bitset<kBucketCount>> held(kMaxSlots);
  for (auto& buckets : held) buckets.set();
  const auto parts = split_held(held);
  EXPECT_EQ(parts.size(), 33u);
  EXPECT_EQ(parts.size(), kMaxHeldParts);
}

RC_GTEST_PROP(SplitHeldProperty, JoinsAgainOnTheOtherSide, (std::vector<uint16_t> picks)) {
  std::vector<std::bitset<kBucketCount>> held(kMaxSlots), joined(kMaxSlots);
  for (const uint16_t pick : picks) held[pick % kMaxSlots].set(pick % kBucketCount);
  const Codec codec(sample_keys(), "web", sample_vip());
  const auto parts = split_held(held);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    HeldPart part = parts[i];
    RC_ASSERT(part.part == i && part.parts == parts.size());
    part.header = {1, 2, 3};
    part.generation = 1;
    const auto decoded = codec.decode(codec.encode(part));
    RC_ASSERT(decoded.has_value());
    for (const auto& slot : std::get<HeldPart>(*decoded).slots) joined[slot.slot] = slot.buckets;
  }
  RC_ASSERT(joined == held);
}

}  // namespace
}  // namespace nlb::wire
