// SPDX-License-Identifier: Apache-2.0
// Behind the signature: a peer with the key can still be wrong (a bug, another version). Each field outside
// its range is refused, and counts that do not fit the length are.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "forge.hh"

namespace nlb::wire {
namespace {

constexpr std::size_t kBody = kHeaderBytes;

// Offsets in the frame, as the document draws them.
constexpr std::size_t kMinor = 5, kType = 6, kSender = 7, kReserved = 10;
constexpr std::size_t kFlags = kBody, kState = kBody + 2, kPhase = kBody + 3, kMode = kBody + 24,
                      kPeerCount = kBody + 25, kPeriod = kBody + 26, kTolerance = kBody + 28,
                      kHeldGeneration = kBody + 52, kHeldParts = kBody + 54, kMac = kBody + 72,
                      kKeptGeneration = kBody + 78, kKeptParts = kBody + 79, kOffers = kBody + 80,
                      kPeers = kBody + 144;
constexpr std::size_t kPartGeneration = kBody + 4, kPart = kBody + 6, kParts = kBody + 8,
                      kSlotCount = kBody + 10, kSlots = kBody + 11, kOwner = kBody + 13;
constexpr uint8_t kKeptPart = 4;

tl::expected<Frame, Refusal> decode(const std::vector<uint8_t>& bytes) {
  return Codec(sample_keys(), "web", sample_vip()).decode(bytes);
}

struct Change {
  std::size_t offset;
  uint8_t value;
};

// What becomes of a frame after the changes: nullopt = accepted.
std::optional<Refusal> after(const Frame& frame, std::initializer_list<Change> changes) {
  auto bytes = unsigned_bytes(frame);
  for (const Change& change : changes) bytes.at(change.offset) = change.value;
  const auto decoded = decode(signed_again(std::move(bytes)));
  if (decoded.has_value()) return std::nullopt;
  return decoded.error();
}

TEST(FieldRange, OfTheHeader) {
  const Frame frame = sample_heartbeat();
  EXPECT_EQ(after(frame, {}), std::nullopt);
  EXPECT_EQ(after(frame, {{kSender, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kSender, 64}}), std::nullopt);
  EXPECT_EQ(after(frame, {{kSender, 65}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kType, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kType, 5}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kReserved, 0xff}}), std::nullopt) << "reserved bits are ignored";
}

TEST(FieldRange, OfTheHeartbeat) {
  const Frame frame = sample_heartbeat();
  EXPECT_EQ(after(frame, {{kState, 5}}), std::nullopt);
  EXPECT_EQ(after(frame, {{kState, 6}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kPhase, 4}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kMode, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kMode, 4}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kPeriod, 0}, {kPeriod + 1, 9}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kPeriod, 0}, {kPeriod + 1, 10}}), std::nullopt);
  EXPECT_EQ(after(frame, {{kPeriod, 0x27}, {kPeriod + 1, 0x11}}), Refusal::bad_field) << "10001 ms";
  EXPECT_EQ(after(frame, {{kTolerance + 1, 2}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kTolerance + 1, 101}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kHeldParts + 1, 1}}), Refusal::bad_field) << "parts without a generation";
  EXPECT_EQ(after(frame, {{kHeldGeneration, 1}, {kHeldParts + 1, 33}}), std::nullopt);
  EXPECT_EQ(after(frame, {{kHeldGeneration, 1}, {kHeldParts + 1, 34}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kKeptGeneration, 0}, {kKeptParts, 1}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kKeptGeneration, 31}, {kKeptParts, 33}}), std::nullopt);
  EXPECT_EQ(after(frame, {{kKeptGeneration, 31}, {kKeptParts, 34}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kKeptGeneration, 32}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kMac, 0x53}}), Refusal::bad_field) << "an adapter's MAC is no group address";
  for (const int offer : {0, 101, 102, 203, 253, 254, 255})
    EXPECT_EQ(after(frame, {{kOffers + 63, uint8_t(offer)}}), std::nullopt);
  for (const int offer : {204, 252}) EXPECT_EQ(after(frame, {{kOffers, uint8_t(offer)}}), Refusal::bad_field);
}

TEST(FieldRange, OfThePeerList) {
  const Frame frame = sample_heartbeat();
  EXPECT_EQ(after(frame, {{kPeerCount, 3}}), Refusal::bad_length);
  EXPECT_EQ(after(frame, {{kPeerCount, 1}}), Refusal::bad_length) << "bytes left over, same minor";
  EXPECT_EQ(after(frame, {{kPeerCount, 65}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kPeers, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kPeers, 65}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kPeers, 3}}), Refusal::bad_field) << "host 3 twice";
  EXPECT_EQ(after(frame, {{kPeers, 1}}), std::nullopt) << "the sender's own id: a duplicate of it is heard";
}

TEST(FieldRange, OfTheHeldPart) {
  const Frame frame = sample_held_part();
  EXPECT_EQ(after(frame, {}), std::nullopt);
  EXPECT_EQ(after(frame, {{kSender, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kPartGeneration + 1, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kPart + 1, 2}}), Refusal::bad_field) << "part 2 of 2, counted from 0";
  EXPECT_EQ(after(frame, {{kParts + 1, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kParts + 1, 33}}), std::nullopt);
  EXPECT_EQ(after(frame, {{kParts + 1, 34}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kSlotCount, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kSlotCount, 1}}), Refusal::bad_field)
      << "a second slot number that should not be there";
  EXPECT_EQ(after(frame, {{kSlotCount, 1}, {kSlots + 1, 0xff}}), Refusal::bad_length);
  EXPECT_EQ(after(frame, {{kSlotCount, 3}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kSlots + 1, 66}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kSlots, 65}}), Refusal::bad_field) << "the same slot twice";
  EXPECT_EQ(after(frame, {{kOwner, 65}, {kOwner + 1, 1}}), std::nullopt) << "reserved in a held list";
}

TEST(FieldRange, OfTheKeptPart) {
  const Frame frame = sample_held_part();
  EXPECT_EQ(after(frame, {{kType, kKeptPart}}), Refusal::bad_field) << "nobody's";
  EXPECT_EQ(after(frame, {{kType, kKeptPart}, {kOwner, 64}}), std::nullopt);
  EXPECT_EQ(after(frame, {{kType, kKeptPart}, {kOwner, 65}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kType, kKeptPart}, {kOwner, 1}, {kPartGeneration + 1, 31}}), std::nullopt);
  EXPECT_EQ(after(frame, {{kType, kKeptPart}, {kOwner, 1}, {kPartGeneration + 1, 32}}), Refusal::bad_field);
}

TEST(FieldRange, OfTheMessagePart) {
  constexpr std::size_t kKind = kBody, kTarget = kBody + 1, kIndex = kBody + 2, kCount = kBody + 3,
                        kLength = kBody + 4, kNumber = kBody + 8;
  const Frame frame = sample_message_part();  // part 0 of 2, full
  EXPECT_EQ(after(frame, {}), std::nullopt);
  EXPECT_EQ(after(frame, {{kSender, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kKind, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kKind, 4}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kKind, 3}}), Refusal::bad_field) << "a receipt has no data";
  EXPECT_EQ(after(frame, {{kTarget, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kTarget, 65}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kIndex, 2}}), Refusal::bad_field) << "part 2 of 2, counted from 0";
  EXPECT_EQ(after(frame, {{kCount, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kCount, 64}}), std::nullopt);
  EXPECT_EQ(after(frame, {{kCount, 65}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kNumber + 3, 0}}), Refusal::bad_field);
  EXPECT_EQ(after(frame, {{kLength + 1, 0x79}}), Refusal::bad_length) << "one octet more than there is";
  EXPECT_EQ(after(frame, {{kLength, 0xff}}), Refusal::bad_length);
  MessagePart one = sample_message_part();
  one.parts = 1;
  one.data.resize(3);  // filled up to the smallest frame
  EXPECT_EQ(after(Frame(one), {{kLength + 1, 112}}), std::nullopt);
  EXPECT_EQ(after(Frame(one), {{kLength + 1, 113}}), Refusal::bad_length);
  EXPECT_EQ(after(Frame(one), {{kCount, 2}}), Refusal::bad_field) << "not the last, and not full";
}

TEST(FieldRange, IgnoresUnknownFlags) {
  const Frame frame = sample_heartbeat();
  auto bytes = unsigned_bytes(frame);
  bytes[kFlags] |= static_cast<uint8_t>(static_cast<uint16_t>(~kKnownFlags) >> 8);
  const auto decoded = decode(signed_again(std::move(bytes)));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_TRUE(*decoded == frame);
}

// Any signed bytes are read without a step past the end; what is accepted can be said again.
RC_GTEST_PROP(FieldRangeProperty, SignedNoiseIsReadSafely, ()) {
  auto bytes = unsigned_bytes(*any_frame());
  for (int i = *rc::gen::inRange(1, 5); i > 0; --i)
    bytes[*rc::gen::inRange<std::size_t>(kBody, bytes.size())] = *rc::gen::arbitrary<uint8_t>();
  bytes.resize(*rc::gen::inRange<std::size_t>(kHeaderBytes, kMaxPayloadBytes - kSignatureBytes + 1));
  const auto decoded = decode(signed_again(std::move(bytes)));
  if (decoded.has_value()) RC_ASSERT(*decode(signed_again(unsigned_bytes(*decoded))) == *decoded);
}

TEST(MinorVersion, ANewerOneMayAppendToTheBody) {
  for (const Frame& frame :
       {Frame(sample_heartbeat()), Frame(sample_held_part()), Frame(sample_message_part())}) {
    auto bytes = unsigned_bytes(frame);
    bytes[kMinor] = kVersionMinor + 1;
    bytes.insert(bytes.end(), 4, 0xab);
    const auto decoded = decode(signed_again(bytes));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_TRUE(*decoded == frame);
    bytes[kMinor] = kVersionMinor;
    EXPECT_EQ(decode(signed_again(bytes)).error(), Refusal::bad_length)
        << "our own minor appends no such thing";
  }
}

}  // namespace
}  // namespace nlb::wire
