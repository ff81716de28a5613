// SPDX-License-Identifier: Apache-2.0
// The way out of IPv6: neighbour discovery that would bind a VIP wrongly, late answers of TCP. Every frame
// that leaves has a right checksum.
#include <linux/pkt_cls.h>

#include "harness.hh"

namespace nlb::test {
namespace {

const IpAddress kGroup6 = ip6("ff02::1:ff00:99");

Frame sent(const IpAddress& from, const IpAddress& to, const Frame& message,
           const MacAddress& source = kAdapterMac) {
  return Ethernet{kClientMac, source}.wrap(0x86dd, summed(ipv6(from, to, 58, message)));
}
Frame own(const MacAddress& mac) {
  return link_layer(kSourceOption, mac);
}
Frame at(const MacAddress& mac) {
  return link_layer(kTargetOption, mac);
}
Frame asks(const IpAddress& from, const Frame& options, const MacAddress& source = kAdapterMac) {
  return sent(from, kGroup6, solicitation(kClient6, options), source);
}
Frame tells(const IpAddress& target, const Frame& options, const MacAddress& source = kAdapterMac) {
  return sent(target, kClient6, advertisement(target, options), source);
}

struct EgressFixture {
  std::string sentence;
  Frame frame;
  nlb_verdict verdict;
  Frame out;  // empty: as it was
  bool replace = false, bound = true, dedicated = true;
};
void PrintTo(const EgressFixture& fixture, std::ostream* out) {
  *out << fixture.sentence;
}

const EgressFixture kEgress[] = {
    {"a question from the VIP is asked for the dedicated address", asks(kVip6, own(kAdapterMac)),
     NLB_VERDICT_nd_mended, asks(kDedicated6, own(kAdapterMac))},
    {"a question from the second VIP too", asks(kOtherVip6, own(kAdapterMac)), NLB_VERDICT_nd_mended,
     asks(kDedicated6, own(kAdapterMac))},
    {"without an option too", asks(kVip6, {}), NLB_VERDICT_nd_mended, asks(kDedicated6, {})},
    {"it names the MAC that this host sends from", asks(kVip6, own(kNobody)), NLB_VERDICT_nd_mended,
     asks(kDedicated6, own(kMaskedMac)), true},
    {"it is mended where nothing is bound", asks(kVip6, own(kAdapterMac)), NLB_VERDICT_nd_mended,
     asks(kDedicated6, own(kAdapterMac)), false, false},
    {"it is not sent without a dedicated address",
     asks(kVip6, own(kAdapterMac)),
     NLB_VERDICT_nd_blocked,
     {},
     false,
     true,
     false},
    {"a question from the VIP at the cluster MAC leaves",
     asks(kVip6, own(kClusterMac)),
     NLB_VERDICT_sent,
     {},
     true},
    {"and not where nothing is bound",
     asks(kVip6, own(kClusterMac)),
     NLB_VERDICT_nd_blocked,
     {},
     true,
     false},
    {"a question from the dedicated address leaves",
     asks(kDedicated6, own(kAdapterMac)),
     NLB_VERDICT_sent,
     {}},
    {"a question from the dedicated address at the cluster MAC is mended",
     asks(kDedicated6, own(kClusterMac)), NLB_VERDICT_nd_mended, asks(kDedicated6, own(kMaskedMac)), true},
    {"a router solicitation at the cluster MAC is mended",
     sent(kDedicated6, kAllNodes6, router_solicitation(own(kClusterMac))), NLB_VERDICT_nd_mended,
     sent(kDedicated6, kAllNodes6, router_solicitation(own(kMaskedMac))), true},
    {"an advertisement of the dedicated address at the cluster MAC is mended",
     tells(kDedicated6, at(kClusterMac)), NLB_VERDICT_nd_mended, tells(kDedicated6, at(kMaskedMac)), true},
    {"an advertisement of the VIP at the cluster MAC leaves",
     tells(kVip6, at(kClusterMac)),
     NLB_VERDICT_sent,
     {}},
    {"an advertisement of the VIP at the own MAC is mended", tells(kVip6, at(kAdapterMac)),
     NLB_VERDICT_nd_mended, tells(kVip6, at(kClusterMac))},
    {"with the cluster MAC as source it is mended inside and out", tells(kVip6, at(kMaskedMac), kClusterMac),
     NLB_VERDICT_nd_mended, tells(kVip6, at(kClusterMac), kMaskedMac), true},
    {"an advertisement of the VIP is not sent where nothing is bound",
     tells(kVip6, at(kAdapterMac)),
     NLB_VERDICT_nd_blocked,
     {},
     false,
     false},
    {"nor one at the cluster MAC", tells(kVip6, at(kClusterMac)), NLB_VERDICT_nd_blocked, {}, false, false},
    {"an option behind others is found", tells(kVip6, joined({nonces(3), at(kAdapterMac)})),
     NLB_VERDICT_nd_mended, tells(kVip6, joined({nonces(3), at(kClusterMac)}))},
    {"two MACs for the VIP are not sent",
     tells(kVip6, joined({at(kClusterMac), at(kAdapterMac)})),
     NLB_VERDICT_nd_blocked,
     {}},
    {"options that do not end are not sent for the VIP",
     tells(kVip6, joined({at(kAdapterMac), Frame(8, 0)})),
     NLB_VERDICT_nd_blocked,
     {}},
    {"nor are more options than are read",
     tells(kVip6, joined({nonces(16), at(kClusterMac)})),
     NLB_VERDICT_nd_blocked,
     {}},
    {"options that do not end leave for another address",
     tells(kDedicated6, joined({at(kAdapterMac), Frame(8, 0)})),
     NLB_VERDICT_sent,
     {}},
    {"a redirect to the VIP at another MAC is mended",
     sent(kDedicated6, kClient6, nd_redirect(kVip6, kVip6, at(kAdapterMac))), NLB_VERDICT_nd_mended,
     sent(kDedicated6, kClient6, nd_redirect(kVip6, kVip6, at(kClusterMac)))},
    {"a probe for the VIP leaves",
     sent(kNone6, kGroup6, solicitation(kVip6, nonces(1))),
     NLB_VERDICT_sent,
     {},
     false,
     false},
    {"a chain that is too long to look behind is not sent",
     Ethernet{kClientMac, kAdapterMac}.wrap(
         0x86dd, ipv6(kVip6, kClient6, 0,
                      joined({extension(60), extension(60), extension(60), extension(60), extension(60),
                              extension(60), extension(60), extension(60), extension(58)}))),
     NLB_VERDICT_nd_blocked,
     {}},
    {"a bare reset from the VIP is held back",
     Ethernet{kClientMac, kAdapterMac}.wrap(0x86dd, ipv6(kVip6, kClient6, 6, tcp(80, 4, kRst))),
     NLB_VERDICT_reset_held,
     {}},
    {"a bare reset from the dedicated address leaves",
     Ethernet{kClientMac, kAdapterMac}.wrap(0x86dd, ipv6(kDedicated6, kClient6, 6, tcp(80, 4, kRst))),
     NLB_VERDICT_sent,
     {}},
    {"a SYN-ACK of an owned bucket leaves",
     Ethernet{kClientMac, kAdapterMac}.wrap(0x86dd, ipv6(kVip6, kClient6, 6, tcp(80, 4, kSyn | kAck))),
     NLB_VERDICT_sent,
     {}},
};

class Egress6Fixtures : public testing::TestWithParam<EgressFixture> {};

TEST_P(Egress6Fixtures, sent) {
  const EgressFixture& fixture = GetParam();
  FilterConfig config = example_config();
  config.replace = fixture.replace;
  config.bound = fixture.bound;
  if (!fixture.dedicated) config.dedicated_ip6 = kNone6;
  harness().configure(config);
  harness().set_all_buckets(BucketState::owned);
  harness().forget();
  const Outcome outcome = harness().run(Hook::egress, fixture.frame);
  EXPECT_EQ(verdict_name(outcome.verdict), verdict_name(fixture.verdict));
  const bool dropped = action_of(fixture.verdict) == NLB_ACTION_DROP;
  EXPECT_EQ(outcome.returned, dropped ? uint32_t{TC_ACT_SHOT} : static_cast<uint32_t>(TC_ACT_UNSPEC));
  if (!dropped) {
    EXPECT_EQ(outcome.frame, fixture.out.empty() ? fixture.frame : fixture.out);
  }
}
INSTANTIATE_TEST_SUITE_P(all, Egress6Fixtures, testing::ValuesIn(kEgress), [](const auto& one) {
  std::string name = one.param.sentence;
  for (char& letter : name) letter = std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
  return name;
});

TEST(LateAnswers6, a_reset_leaves_when_provoked_again_and_a_syn_ack_only_from_the_owner) {
  harness().configure(example_config());
  harness().set_lease(kForever);
  harness().forget();
  const auto verdict_of = [](uint8_t flags, BucketState state) {
    harness().set_all_buckets(state);
    const Frame packet = ipv6(kVip6, kClient6, 6, tcp(80, 4, flags));
    return verdict_name(
        harness().run(Hook::egress, Ethernet{kClientMac, kAdapterMac}.wrap(0x86dd, packet)).verdict);
  };
  EXPECT_EQ(verdict_of(kRst, BucketState::owned), "reset_held");
  harness().age_resets(kSecond);
  EXPECT_EQ(verdict_of(kRst, BucketState::owned_checked), "reset_held") << "in transition";
  EXPECT_EQ(verdict_of(kRst, BucketState::owned), "reset_sent");
  EXPECT_EQ(verdict_of(kSyn | kAck, BucketState::foreign_checked), "answer_late");
}

}  // namespace
}  // namespace nlb::test
