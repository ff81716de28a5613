// SPDX-License-Identifier: Apache-2.0
// Announcements of buckets: what was said comes back, whole or not at all, whatever parts are lost, spoiled
// or of another time.
#include "wire/steering_announcement.hh"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

namespace nlb::wire {
namespace {

using Bytes = std::vector<uint8_t>;
using Refusal = SteeringRefusal;

SteeringContent sample(std::size_t slots = 3) {
  SteeringContent said;
  for (uint8_t i = 0; i < 16; ++i) said.rules.seed[i] = i;
  said.rules.vips = {*IpAddress::parse("10.77.0.100"), *IpAddress::parse("fd77::100")};
  for (std::size_t slot = 0; slot < slots; ++slot) {
    const auto number = static_cast<uint8_t>(slot);
    if (slot < kMaxRules)
      said.rules.ports.push_back({number, static_cast<uint8_t>(slot % 3), slot % 2 == 0, true,
                                  static_cast<uint16_t>(slot * 100), static_cast<uint16_t>(slot * 100 + 50)});
    said.rules.affinities[slot] = static_cast<uint8_t>(slot % 3);
    for (std::size_t bucket = slot; bucket < kBucketCount; bucket += slot + 2) said.rows[number].set(bucket);
  }
  return said;
}

std::optional<SteeringContent> heard(SteeringAssembly& assembly, const std::vector<Bytes>& parts) {
  std::optional<SteeringContent> content;
  for (const Bytes& part : parts) {
    const auto taken = assembly.take(part);
    if (taken && taken->content) content = taken->content;
  }
  return content;
}

Refusal refusal_of(const Bytes& part) {
  SteeringAssembly assembly;
  const auto taken = assembly.take(part);
  EXPECT_FALSE(taken.has_value());
  return taken ? Refusal::short_frame : taken.error();
}

TEST(SteeringAnnouncement, comes_back_as_it_was_said) {
  for (const std::size_t slots : {std::size_t{1}, std::size_t{3}, kMaxSlots}) {
    const auto said = sample(slots);
    const auto parts = encode_steering(7, said);
    EXPECT_EQ(parts.size() > 1, slots > 1);
    for (const Bytes& part : parts) EXPECT_LE(part.size(), kMaxSteeringPartBytes);
    SteeringAssembly assembly;
    EXPECT_EQ(heard(assembly, parts), said);
  }
}

TEST(SteeringAnnouncement, the_largest_one_fits_into_its_parts) {
  SteeringContent said = sample(kMaxSlots);
  said.rules.vips.clear();
  for (uint32_t i = 0; i < kMaxVips; ++i) said.rules.vips.push_back(IpAddress::v4(0x0a4d0000 + i));
  SteeringAssembly assembly;
  EXPECT_EQ(heard(assembly, encode_steering(1, said)), said);
}

TEST(SteeringAnnouncement, parts_in_any_order_and_padded) {
  const auto said = sample();
  auto parts = encode_steering(7, said);
  std::reverse(parts.begin(), parts.end());
  for (Bytes& part : parts) part.resize(part.size() + 20, 0xee);
  SteeringAssembly assembly;
  EXPECT_EQ(heard(assembly, parts), said);
}

TEST(SteeringAnnouncement, a_lost_part_is_made_up_for_by_the_repetition) {
  const auto said = sample(8);
  auto parts = encode_steering(7, said);
  ASSERT_GT(parts.size(), 3U);
  auto first = parts;
  first.erase(first.begin() + 2);
  SteeringAssembly assembly;
  EXPECT_EQ(heard(assembly, first), std::nullopt);
  EXPECT_EQ(heard(assembly, parts), said);
}

TEST(SteeringAnnouncement, parts_of_two_generations_are_never_one) {
  const auto before = sample(8), after = sample(9);
  auto old_parts = encode_steering(7, before), new_parts = encode_steering(8, after);
  SteeringAssembly assembly;
  const std::vector<Bytes> begun(old_parts.begin(), old_parts.begin() + 3);
  const std::vector<Bytes> rest(new_parts.begin() + 3, new_parts.end());
  EXPECT_EQ(heard(assembly, begun), std::nullopt);
  EXPECT_EQ(heard(assembly, rest), std::nullopt);
  EXPECT_EQ(heard(assembly, new_parts), after);
}

TEST(SteeringAnnouncement, marks_have_no_content) {
  for (const bool in_transition : {false, true}) {
    SteeringAssembly assembly;
    const auto taken = assembly.take(encode_steering_mark(0x01020304, in_transition));
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->generation, 0x01020304U);
    EXPECT_EQ(taken->in_transition, in_transition);
    EXPECT_FALSE(taken->content);
  }
}

// docs/protocol/steering-announcement.md: the fixed header, octet by octet; the kernel reads it.
TEST(SteeringAnnouncement, header_is_as_documented) {
  const Bytes expected = {'O', 'N', 'L', 'O', 1, 0, 0, 16, 1, 2, 3, 4, 1, 0, 0, 0};
  EXPECT_EQ(encode_steering_mark(0x01020304, true), expected);
  const auto part = encode_steering(0x01020304, sample(1)).front();
  const Bytes head(part.begin(), part.begin() + 16);
  const Bytes with_content = {'O',
                              'N',
                              'L',
                              'O',
                              1,
                              0,
                              static_cast<uint8_t>(part.size() >> 8),
                              static_cast<uint8_t>(part.size()),
                              1,
                              2,
                              3,
                              4,
                              2,
                              0,
                              1,
                              0};
  EXPECT_EQ(head, with_content);
}

Bytes with_octet(Bytes bytes, std::size_t at, uint8_t value) {
  bytes[at] = value;
  return bytes;
}

TEST(SteeringAnnouncement, what_is_none_is_refused_by_name) {
  const Bytes whole = encode_steering(7, sample(1)).front();
  EXPECT_EQ(refusal_of(Bytes(whole.begin(), whole.begin() + 15)), Refusal::short_frame);
  EXPECT_EQ(refusal_of(with_octet(whole, 3, 'P')), Refusal::bad_magic);
  EXPECT_EQ(refusal_of(with_octet(whole, 4, 2)), Refusal::other_version);
  EXPECT_EQ(refusal_of(with_octet(whole, 6, 0xff)), Refusal::bad_length);
  EXPECT_EQ(refusal_of(with_octet(whole, 13, 1)), Refusal::bad_part);
  EXPECT_EQ(refusal_of(with_octet(whole, 14, 0)), Refusal::bad_part);
  EXPECT_EQ(refusal_of(with_octet(whole, 14, 65)), Refusal::bad_part);
  EXPECT_EQ(refusal_of(with_octet(whole, 19, 15)), Refusal::bad_field);      // a seed too short
  EXPECT_EQ(refusal_of(with_octet(whole, 17, 99)), Refusal::missing_field);  // it has no seed then
}

TEST(SteeringAnnouncement, an_impossible_value_is_refused) {
  auto said = sample(1);
  said.rules.ports[0].vip = 2;
  auto part = encode_steering(7, said).front();
  const Bytes ports = {0, 4, 0, 8, 0, 2};
  const auto at = std::search(part.begin(), part.end(), ports.begin(), ports.end());
  ASSERT_NE(at, part.end());
  const auto offset = static_cast<std::size_t>(at - part.begin());
  EXPECT_EQ(refusal_of(with_octet(part, offset + 4, kMaxSlots)), Refusal::bad_field);
  EXPECT_EQ(refusal_of(with_octet(part, offset + 5, 3)), Refusal::bad_field);     // of two addresses
  EXPECT_EQ(refusal_of(with_octet(part, offset + 8, 0xff)), Refusal::bad_field);  // first > last
}

RC_GTEST_PROP(SteeringAnnouncement, no_octets_bring_it_down, ()) {
  auto parts = encode_steering(7, sample(4));
  Bytes part = parts[*rc::gen::inRange<std::size_t>(0, parts.size())];
  const auto spoils = *rc::gen::inRange(1, 6);
  for (int i = 0; i < spoils; ++i)
    part[*rc::gen::inRange<std::size_t>(0, std::min<std::size_t>(part.size(), 200))] =
        *rc::gen::arbitrary<uint8_t>();
  part.resize(*rc::gen::inRange<std::size_t>(0, part.size() + 1));
  SteeringAssembly assembly;
  static_cast<void>(assembly.take(part));
  for (const Bytes& other : parts) static_cast<void>(assembly.take(other));
}

}  // namespace
}  // namespace nlb::wire
