// SPDX-License-Identifier: Apache-2.0
// Who counts as a stranger, in every kind of ARP message.
#include "core/address_claim.hh"

#include <gtest/gtest.h>

namespace nlb::core {
namespace {

const IpAddress kVip = *IpAddress::parse("10.77.0.100"), kOther = *IpAddress::parse("10.77.0.5"),
                kNobody = IpAddress::v4(0);
const MacAddress kStranger = *MacAddress::parse("52:54:00:00:00:66"),
                 kOwn = *MacAddress::parse("52:54:00:00:00:01"),
                 kCluster = *MacAddress::parse("02:bf:0a:4d:00:64");
const Claimants kOurs{kCluster, kVip, kOwn};

std::optional<AddressConflict> heard(bool request, const MacAddress& mac, const IpAddress& sender,
                                     const IpAddress& target, bool probing = true) {
  return conflict_in({kVip}, kOurs, request, mac, sender, target, probing);
}

TEST(AddressClaim, AStrangersAnswerAnnouncementOrRequestIsAConflict) {
  const AddressConflict conflict{kVip, kStranger};
  EXPECT_EQ(heard(false, kStranger, kVip, kNobody), conflict);
  EXPECT_EQ(heard(true, kStranger, kVip, kVip), conflict);
  EXPECT_EQ(heard(true, kStranger, kVip, kOther), conflict);
}

TEST(AddressClaim, AStrangersProbeCountsWhileWeProbeOnly) {
  EXPECT_TRUE(heard(true, kStranger, kNobody, kVip, true));
  EXPECT_FALSE(heard(true, kStranger, kNobody, kVip, false));
}

TEST(AddressClaim, TheClustersOwnMacsAreNone) {
  for (const MacAddress& mac : {kCluster, kOwn, masked_mac(kVip, 1), masked_mac(kVip, 64)}) {
    EXPECT_FALSE(heard(false, mac, kVip, kNobody)) << mac.text();
    EXPECT_FALSE(heard(true, mac, kNobody, kVip)) << mac.text();
  }
  EXPECT_TRUE(heard(false, masked_mac(kOther, 1), kVip, kNobody)) << "another cluster's masked MAC";
}

TEST(AddressClaim, OtherAddressesAreNoneOfOurs) {
  EXPECT_FALSE(heard(false, kStranger, kOther, kVip));
  EXPECT_FALSE(heard(true, kStranger, kOther, kVip)) << "an ordinary request for the VIP";
}

std::optional<AddressConflict> heard6(const NdMessage& message, const MacAddress& source, bool probing) {
  const IpAddress vip = *IpAddress::parse("2001:db8::100");
  return conflict_in({vip}, {kCluster, vip, kOwn}, message, source, probing);
}

TEST(AddressClaim, NeighbourDiscoveryClaimsInTheSameWay) {
  const IpAddress vip = *IpAddress::parse("2001:db8::100"), other = *IpAddress::parse("2001:db8::99");
  const AddressConflict conflict{vip, kStranger};
  EXPECT_EQ(heard6({false, other, vip, kStranger, {}}, kOwn, false), conflict) << "by its option";
  EXPECT_EQ(heard6({false, other, vip, {}, {}}, kStranger, false), conflict) << "by its frame";
  EXPECT_FALSE(heard6({false, other, vip, kCluster, {}}, kStranger, true)) << "a peer";
  EXPECT_FALSE(heard6({false, vip, other, kStranger, {}}, kStranger, true)) << "of another target";
  EXPECT_EQ(heard6({true, vip, other, kStranger, {}}, kOwn, false), conflict) << "it asks from the VIP";
  EXPECT_FALSE(heard6({true, other, vip, kStranger, {}}, kStranger, true)) << "an ordinary question";
}

TEST(AddressClaim, AProbeOfAPeerIsKnownByItsNonce) {
  const IpAddress vip = *IpAddress::parse("2001:db8::100");
  EXPECT_FALSE(heard6({true, {}, vip, {}, kCluster}, kStranger, true));
  EXPECT_EQ(heard6({true, {}, vip, {}, {}}, kStranger, true), (AddressConflict{vip, kStranger}));
  EXPECT_EQ(heard6({true, {}, vip, {}, kOwn}, kStranger, true), (AddressConflict{vip, kStranger}))
      << "a random nonce says nothing";
  EXPECT_FALSE(heard6({true, {}, vip, {}, {}}, kStranger, false)) << "afterwards it is answered, and goes";
}

TEST(AddressClaim, ThreeProbesAreSpreadAndLeaveTimeForAnswers) {
  EXPECT_EQ(probes_due(0, 200), 1);
  EXPECT_EQ(probes_due(49, 200), 1);
  EXPECT_EQ(probes_due(50, 200), 2);
  EXPECT_EQ(probes_due(100, 200), 3);
  EXPECT_EQ(probes_due(199, 200), 3);
}

}  // namespace
}  // namespace nlb::core
