// SPDX-License-Identifier: Apache-2.0
// A presence and a notice of a fence: octet by octet as docs/protocol/fence-notice.md has them, and
// everything else refused.
#include "wire/fence_notice.hh"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace nlb::wire {
namespace {

using Refusal = FenceRefusal;
using Bytes = std::vector<uint8_t>;

const PortPresence kHere{7, 50, 500, 0x0102030405060708, 0x1112131415161718};
const FenceNotice kFenced{9, 0x2122232425262728, 0x3132333435363738};

TEST(FenceNotice, octets_of_a_presence) {
  const Bytes expected = {'O',  'N',  'L',  'M',  1, 0, 0, 36, 7,    0,    0,    0,
                          1,    2,    3,    4,    5, 6, 7, 8,  0x11, 0x12, 0x13, 0x14,
                          0x15, 0x16, 0x17, 0x18, 0, 0, 0, 50, 0,    0,    1,    0xf4};
  EXPECT_EQ(encode(kHere), expected);
}

TEST(FenceNotice, octets_of_a_notice) {
  const Bytes expected = {'O',  'N',  'L',  'F',  1,    0,    0,    28,   9,    0,    0,    0,    0x21, 0x22,
                          0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38};
  EXPECT_EQ(encode(kFenced), expected);
}

Refusal refusal_of(const Bytes& payload) {
  const auto read = decode_fence_frame(payload);
  EXPECT_FALSE(read);
  return read ? Refusal{} : read.error();
}

Bytes with_octet(Bytes bytes, std::size_t at, uint8_t value) {
  bytes.at(at) = value;
  return bytes;
}

TEST(FenceNotice, what_is_refused) {
  for (const Bytes& sound : {encode(kHere), encode(kFenced)}) {
    for (std::size_t bytes = 0; bytes < 28; ++bytes)
      EXPECT_EQ(refusal_of(Bytes(sound.begin(), sound.begin() + static_cast<std::ptrdiff_t>(bytes))),
                Refusal::short_frame);
    EXPECT_EQ(refusal_of(with_octet(sound, 3, 'P')), Refusal::bad_magic);
    EXPECT_EQ(refusal_of(with_octet(sound, 4, 2)), Refusal::other_version);
    EXPECT_EQ(refusal_of(with_octet(sound, 7, static_cast<uint8_t>(sound.size() - 1))), Refusal::bad_length);
    EXPECT_EQ(refusal_of(with_octet(sound, 7, static_cast<uint8_t>(sound.size() + 1))), Refusal::bad_length);
    EXPECT_EQ(refusal_of(with_octet(sound, 8, 0)), Refusal::bad_field);
    EXPECT_EQ(refusal_of(with_octet(sound, 8, 65)), Refusal::bad_field);
  }
  const Bytes here = encode(kHere);
  EXPECT_EQ(refusal_of(Bytes(here.begin(), here.begin() + 30)), Refusal::bad_length);
  EXPECT_EQ(refusal_of(with_octet(here, 31, 0)), Refusal::bad_field);  // no period
  EXPECT_EQ(refusal_of(with_octet(here, 28, 1)), Refusal::bad_field);  // a period of 4.6 hours
  EXPECT_EQ(refusal_of(with_octet(with_octet(here, 34, 0), 35, 50)), Refusal::bad_field);  // both 50 ms
  EXPECT_EQ(refusal_of(with_octet(here, 32, 0xff)), Refusal::bad_field);  // silence of 49 days
}

TEST(FenceNotice, a_later_minor_version_may_append) {
  for (Bytes frame : {encode(kHere), encode(kFenced)}) {
    const auto plain = decode_fence_frame(frame);
    frame[5] = 3;
    frame[7] = static_cast<uint8_t>(frame.size() + 4);
    frame.resize(64, 0xaa);  // and padding behind it
    EXPECT_EQ(decode_fence_frame(frame), plain);
  }
}

RC_GTEST_PROP(FenceNotice, what_is_said_is_read, (uint64_t incarnation, uint64_t nonce)) {
  const auto host = *rc::gen::inRange<HostId>(1, 65);
  const auto period = *rc::gen::inRange<uint32_t>(1, 10'001);
  const PortPresence presence{host, period, *rc::gen::inRange<uint32_t>(period + 1, 1'000'001), incarnation,
                              nonce};
  RC_ASSERT(std::get<PortPresence>(*decode_fence_frame(encode(presence))) == presence);
  const FenceNotice notice{host, incarnation, nonce};
  RC_ASSERT(std::get<FenceNotice>(*decode_fence_frame(encode(notice))) == notice);
}

}  // namespace
}  // namespace nlb::wire
