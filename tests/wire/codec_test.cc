// SPDX-License-Identifier: Apache-2.0
// The codec against its promises: what was said comes back, and nothing else is believed.
#include "wire/codec.hh"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sample_frames.hh"
#include "wire/layout.hh"

namespace nlb::wire {
namespace {

const Codec& codec() {
  static const Codec instance(sample_keys(), "web", sample_vip());
  return instance;
}

Refusal refusal_of(std::span<const uint8_t> bytes, const Codec& receiver = codec()) {
  const auto decoded = receiver.decode(bytes);
  EXPECT_FALSE(decoded.has_value());
  return decoded.has_value() ? Refusal::replayed : decoded.error();
}

TEST(Codec, ReturnsWhatWasSaid) {
  for (const Frame& frame : {Frame(sample_heartbeat()), Frame(fullest_heartbeat()), Frame(sample_held_part()),
                             Frame(sample_message_part())}) {
    const auto bytes = codec().encode(frame);
    const auto decoded = codec().decode(bytes);
    ASSERT_TRUE(decoded.has_value()) << name_of(decoded.error());
    EXPECT_TRUE(*decoded == frame);
  }
}

RC_GTEST_PROP(CodecProperty, AnyFrameComesBack, ()) {
  const Frame frame = *any_frame();
  const auto decoded = codec().decode(codec().encode(frame));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == frame);
}

RC_GTEST_PROP(CodecProperty, AnyFlippedBitIsRefused, ()) {
  auto bytes = codec().encode(*any_frame());
  const auto bit = *rc::gen::inRange<std::size_t>(0, bytes.size() * 8);
  bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ 1u << bit % 8);
  RC_ASSERT(!codec().decode(bytes).has_value());
}

TEST(Codec, RefusesEverySingleFlippedBitOfOneFrame) {
  for (const Frame& frame :
       {Frame(sample_heartbeat()), Frame(sample_held_part()), Frame(sample_message_part())}) {
    auto bytes = codec().encode(frame);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ 1u << bit % 8);
      EXPECT_FALSE(codec().decode(bytes).has_value()) << "bit " << bit;
      bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ 1u << bit % 8);
    }
    EXPECT_TRUE(codec().decode(bytes).has_value());
  }
}

TEST(Codec, RefusesEveryTruncation) {
  for (const Frame& frame :
       {Frame(sample_heartbeat()), Frame(fullest_heartbeat()), Frame(sample_held_part())}) {
    const auto bytes = codec().encode(frame);
    for (std::size_t length = 0; length < bytes.size(); ++length)
      EXPECT_FALSE(codec().decode(std::span(bytes).first(length)).has_value()) << length;
  }
}

RC_GTEST_PROP(CodecProperty, RandomBytesAreRefused, (std::vector<uint8_t> noise)) {
  RC_ASSERT(!codec().decode(noise).has_value());
  auto headed = codec().encode(sample_heartbeat());  // a right header before noise
  headed.resize(kHeaderBytes);
  headed.insert(headed.end(), noise.begin(), noise.end());
  RC_ASSERT(!codec().decode(headed).has_value());
  headed.resize(kMaxPayloadBytes);
  RC_ASSERT(!codec().decode(headed).has_value());
}

TEST(Codec, IgnoresPaddingBehindTheStatedLength) {
  auto bytes = codec().encode(sample_heartbeat());
  bytes.insert(bytes.end(), 60, 0xee);
  ASSERT_TRUE(codec().decode(bytes).has_value());
}

TEST(Codec, FitsItsWorstCase) {
  EXPECT_EQ(codec().encode(fullest_heartbeat()).size(), kMaxHeartbeatBytes);
  EXPECT_EQ(codec().encode(sample_held_part()).size(), kMaxHeldBytes);
}

TEST(Codec, NamesEachRefusalInItsOrder) {
  const auto good = codec().encode(sample_heartbeat());
  EXPECT_EQ(refusal_of(std::span(good).first(kMinFrameBytes - 1)), Refusal::too_short);
  EXPECT_EQ(refusal_of(std::vector<uint8_t>(kMaxPayloadBytes + 1)), Refusal::too_long);
  auto bad = good;
  bad[good.size() - 1] ^= 1;
  EXPECT_EQ(refusal_of(bad), Refusal::bad_signature);
  bad[kLengthOffset] = 0xff;  // longer than what came
  EXPECT_EQ(refusal_of(bad), Refusal::bad_length);
  bad[kLengthOffset] = 0;  // shorter than any frame
  bad[kLengthOffset + 1] = kMinFrameBytes - 1;
  EXPECT_EQ(refusal_of(bad), Refusal::bad_length);
  bad[12] ^= 1;
  EXPECT_EQ(refusal_of(bad), Refusal::unknown_key);
  bad[20] ^= 1;
  EXPECT_EQ(refusal_of(bad), Refusal::other_cluster);
  bad[4] ^= 2;
  EXPECT_EQ(refusal_of(bad), Refusal::wrong_version);
  bad[0] ^= 1;
  EXPECT_EQ(refusal_of(bad), Refusal::wrong_magic);
}

TEST(Codec, TellsClustersApartByNameAndPrimaryVip) {
  const auto bytes = codec().encode(sample_heartbeat());
  EXPECT_EQ(refusal_of(bytes, Codec(sample_keys(), "mail", sample_vip())), Refusal::other_cluster);
  EXPECT_EQ(refusal_of(bytes, Codec(sample_keys(), "web", IpAddress::v4(0x0a4d0065))),
            Refusal::other_cluster);
}

TEST(Codec, RotatesKeys) {
  const KeySet old_keys = sample_keys(1), new_keys = sample_keys(100);
  KeySet both = new_keys;
  both.keys.push_back(old_keys.keys[0]);
  const Codec old_host(old_keys, "web", sample_vip()), both_host(both, "web", sample_vip()),
      new_host(new_keys, "web", sample_vip());
  const Frame frame = sample_heartbeat();
  EXPECT_TRUE(both_host.decode(old_host.encode(frame)).has_value());
  EXPECT_TRUE(new_host.decode(both_host.encode(frame)).has_value()) << "the newest key signs";
  EXPECT_EQ(refusal_of(both_host.encode(frame), old_host), Refusal::unknown_key);
  EXPECT_EQ(refusal_of(old_host.encode(frame), new_host), Refusal::unknown_key);
}

TEST(Codec, HasANameAndATextForEachRefusal) {
  for (std::size_t i = 0; i < kRefusalCount; ++i) {
    EXPECT_NE(name_of(static_cast<Refusal>(i)), "unknown");
    EXPECT_NE(text_of(static_cast<Refusal>(i)), "unknown");
  }
  EXPECT_EQ(name_of(Refusal::bad_signature), "bad_signature");
}

}  // namespace
}  // namespace nlb::wire
