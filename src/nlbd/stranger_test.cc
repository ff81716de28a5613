// SPDX-License-Identifier: Apache-2.0
// When a stranger is told of, and when it is forgotten.
#include "nlbd/stranger.hh"

#include <gtest/gtest.h>

namespace nlb {
namespace {

const core::AddressConflict kOne{IpAddress::v4(0x0a4d00ca), MacAddress{{2, 0, 0, 0, 0, 1}}};
const core::AddressConflict kOther{IpAddress::v4(0x0a4d00cb), MacAddress{{2, 0, 0, 0, 0, 2}}};

TEST(Stranger, IsToldOfAtMostOnceInTenSecondsWhoeverItIs) {
  Stranger stranger(60 * kSecond);
  EXPECT_TRUE(stranger.hear(kOne, 5 * kSecond));
  EXPECT_FALSE(stranger.hear(kOne, 6 * kSecond));
  EXPECT_FALSE(stranger.hear(kOther, 14 * kSecond)) << "a MAC is made up with every frame";
  EXPECT_TRUE(stranger.hear(kOther, 15 * kSecond));
}

TEST(Stranger, IsRememberedFromWhenItWasHeardLast) {
  Stranger stranger(60 * kSecond);
  EXPECT_FALSE(stranger.remembered(5 * kSecond));
  (void)stranger.hear(kOne, 5 * kSecond);
  (void)stranger.hear(kOther, 10 * kSecond);  // not told of
  EXPECT_EQ(stranger.remembered(69 * kSecond), kOther);
  EXPECT_FALSE(stranger.remembered(70 * kSecond));
}

}  // namespace
}  // namespace nlb
