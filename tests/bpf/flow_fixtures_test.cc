// SPDX-License-Identifier: Apache-2.0
// Rules, affinity, bucket states, lease, ICMP: what becomes of a sound packet for a VIP.
#include "fixtures.hh"

namespace nlb::test {
namespace {

void foreign(Arrangement& a) {
  state(a, BucketState::foreign);
}
void foreign_checked(Arrangement& a) {
  state(a, BucketState::foreign_checked);
}
void owned_checked(Arrangement& a) {
  state(a, BucketState::owned_checked);
}
void no_lease(Arrangement& a) {
  a.lease = 0;
}
void past_lease(Arrangement& a) {
  a.lease = boot_now() - kMillisecond;
}
void long_past_lease(Arrangement& a) {
  a.lease = 1;
}
void lease_for_a_minute(Arrangement& a) {
  a.lease = boot_now() + 60 * kSecond;
}
// Only this slot is owned: a frame that is accepted went there.
auto only(std::size_t slot) {
  return [slot](Arrangement& a) {
    state(a, BucketState::foreign);
    a.slots.emplace_back(slot, BucketState::owned);
  };
}
Frame syn(uint16_t port) {
  return to_vip(6, tcp(40000, port, kSyn));
}
Frame segment(uint8_t flags) {
  return to_vip(6, tcp(40000, 80, flags, 5000, 6000));
}
Frame datagram(uint16_t port) {
  return to_vip(17, udp(40000, port));
}
Frame to_other(uint16_t port) {
  return kToCluster.wrap(0x0800, Ipv4{kClient, kOtherVip}.wrap(6, tcp(40000, port, kSyn)));
}

const Fixture kRules[] = {
    {"port 80 of TCP is rule 0", syn(80), NLB_VERDICT_owned, only(0)},
    {"port 80 of UDP has no rule and goes to the default slot", datagram(80), NLB_VERDICT_owned,
     only(kDefaultSlot)},
    {"port 443 of TCP is rule 1", syn(443), NLB_VERDICT_owned, only(1)},
    {"port 443 of UDP is rule 1 as well", datagram(443), NLB_VERDICT_owned, only(1)},
    {"the first port of a range is in it", datagram(1000), NLB_VERDICT_owned, only(2)},
    {"the last port of a range is in it", datagram(1999), NLB_VERDICT_owned, only(2)},
    {"the port before a range is not in it", datagram(999), NLB_VERDICT_owned, only(kDefaultSlot)},
    {"the port behind a range is not in it", datagram(2000), NLB_VERDICT_owned, only(kDefaultSlot)},
    {"a UDP rule says nothing of TCP", syn(1500), NLB_VERDICT_owned, only(kDefaultSlot)},
    {"a disabled rule drops", syn(23), NLB_VERDICT_rule_disabled},
    {"a disabled rule drops segments of old connections too", to_vip(6, tcp(40000, 23, kAck)),
     NLB_VERDICT_rule_disabled},
    {"a disabled TCP rule says nothing of UDP", datagram(23), NLB_VERDICT_owned, only(kDefaultSlot)},
    {"a rule for one VIP goes before one for all", to_other(8080), NLB_VERDICT_owned, only(4)},
    {"a rule for one VIP says nothing of another", syn(8080), NLB_VERDICT_owned, only(5)},
    {"beside a rule for one VIP the one for all goes on", to_other(8082), NLB_VERDICT_owned, only(5)},
    {"port 0 has a slot", syn(0), NLB_VERDICT_owned, only(kDefaultSlot)},
    {"port 65535 has a slot", syn(65535), NLB_VERDICT_owned, only(kDefaultSlot)},
    {"GRE goes by the rule of TCP 1723", to_vip(47, Frame(8, 0)), NLB_VERDICT_owned, only(7)},
    {"GRE for a VIP without that rule goes to the default slot",
     kToCluster.wrap(0x0800, Ipv4{kClient, kVip}.wrap(47, Frame(8, 0))), NLB_VERDICT_owned,
     [](Arrangement& a) {
       only(kDefaultSlot)(a);
       a.config.rules.resize(7);
     }},
    {"ESP goes by the rule of UDP 500", to_vip(50, Frame(8, 0)), NLB_VERDICT_owned, only(8)},
    {"AH goes by the rule of UDP 500", to_vip(51, Frame(12, 0)), NLB_VERDICT_owned, only(8)},
    {"GRE of a disabled rule is dropped", to_vip(47, Frame(8, 0)), NLB_VERDICT_rule_disabled,
     [](Arrangement& a) { a.config.rules[7].mode = FilteringMode::disabled; }},
    {"SCTP goes by a rule of both protocols", to_vip(132, sctp(443)), NLB_VERDICT_owned, only(1)},
    {"SCTP does not go by a rule of TCP alone", to_vip(132, sctp(80)), NLB_VERDICT_owned, only(kDefaultSlot)},
    {"SCTP cut off within its header is dropped", to_vip(132, Frame(11, 0)), NLB_VERDICT_bad_header},
    {"another protocol goes to the default slot", to_vip(4, Frame(20, 0)), NLB_VERDICT_owned,
     only(kDefaultSlot)},
    {"ESP of a foreign bucket is dropped", to_vip(50, Frame(8, 0)), NLB_VERDICT_foreign, foreign},
    {"SCTP goes to the default slot", to_vip(132, Frame(12, 0)), NLB_VERDICT_owned, only(kDefaultSlot)},
};
NLB_FIXTURES(RuleFixtures, kRules);

const Fixture kStates[] = {
    {"foreign drops a SYN", syn(80), NLB_VERDICT_foreign, foreign},
    {"foreign drops a segment", segment(kAck), NLB_VERDICT_foreign, foreign},
    {"foreign drops a reset", segment(kRst), NLB_VERDICT_foreign, foreign},
    {"foreign drops a datagram", datagram(443), NLB_VERDICT_foreign, foreign},
    {"foreign drops an echo request", to_vip(1, icmp(8)), NLB_VERDICT_foreign, foreign},
    {"owned accepts a SYN", syn(80), NLB_VERDICT_owned},
    {"owned accepts a segment", segment(kAck), NLB_VERDICT_owned},
    {"owned accepts a SYN and ACK as a segment", segment(kSyn | kAck), NLB_VERDICT_owned, no_lease},
    {"owned accepts a FIN", segment(kFin | kAck), NLB_VERDICT_owned},
    {"owned accepts a reset", segment(kRst), NLB_VERDICT_owned},
    {"owned accepts a datagram", datagram(443), NLB_VERDICT_owned},
    {"owned accepts an echo request", to_vip(1, icmp(8)), NLB_VERDICT_owned, only(kEchoSlot)},
    {"foreign checked drops a SYN", syn(80), NLB_VERDICT_foreign, foreign_checked},
    {"foreign checked drops a segment without a connection", segment(kAck), NLB_VERDICT_stray,
     foreign_checked},
    {"foreign checked drops a bare reset without a connection", segment(kRst), NLB_VERDICT_stray,
     foreign_checked},
    {"foreign checked drops a datagram", datagram(443), NLB_VERDICT_foreign, foreign_checked},
    {"foreign checked drops an echo request", to_vip(1, icmp(8)), NLB_VERDICT_foreign, foreign_checked},
    {"owned checked accepts a SYN", syn(80), NLB_VERDICT_owned, owned_checked},
    {"owned checked drops a segment without a connection", segment(kAck), NLB_VERDICT_stray, owned_checked},
    {"owned checked drops a FIN without a connection", segment(kFin | kAck), NLB_VERDICT_stray,
     owned_checked},
    {"owned checked accepts a datagram", datagram(443), NLB_VERDICT_owned, owned_checked},
    {"owned checked accepts an echo request", to_vip(1, icmp(8)), NLB_VERDICT_owned, owned_checked},
    {"a segment without any flag cannot begin a flow", segment(0), NLB_VERDICT_stray, owned_checked},
    {"a SYN with FIN begins a flow", to_vip(6, tcp(40000, 80, kSyn | kFin)), NLB_VERDICT_owned,
     owned_checked},
    {"a SYN with RST begins no flow", to_vip(6, tcp(40000, 80, kSyn | kRst)), NLB_VERDICT_stray,
     owned_checked},
    {"a SYN and ACK begins no flow", to_vip(6, tcp(40000, 80, kSyn | kAck)), NLB_VERDICT_stray,
     owned_checked},
};
NLB_FIXTURES(StateFixtures, kStates);

Frame part(uint16_t fragment) {  // offset in eights, 0x2000: more follow
  Ipv4 header{kClient, kVip};
  header.fragment = fragment;
  return kToCluster.wrap(0x0800, header.wrap(6, tcp(40000, 443, kAck)));
}
void asks(Arrangement& a) {
  state(a, BucketState::owned_checked);
  a.config.asks_tracking = true;
}

const Fixture kTranslated[] = {
    {"a segment without a socket is left to connection tracking", segment(kAck), NLB_VERDICT_asked, asks},
    {"a bare reset without a socket is left to connection tracking", segment(kRst), NLB_VERDICT_asked, asks},
    {"in a bucket that is another's as well", segment(kAck), NLB_VERDICT_asked,
     [](Arrangement& a) {
       asks(a);
       foreign_checked(a);
     }},
    {"a SYN is judged by ownership", syn(80), NLB_VERDICT_foreign,
     [](Arrangement& a) {
       asks(a);
       foreign_checked(a);
     }},
    {"a settled bucket asks nobody", segment(kAck), NLB_VERDICT_owned,
     [](Arrangement& a) { a.config.asks_tracking = true; }},
    {"a foreign bucket asks nobody", segment(kAck), NLB_VERDICT_foreign,
     [](Arrangement& a) {
       a.config.asks_tracking = true;
       foreign(a);
     }},
    {"further fragments follow their first", part(100), NLB_VERDICT_fragment, asks, {part(0x2000)}},
};
NLB_FIXTURES(TranslatedFixtures, kTranslated);

const Fixture kLease[] = {
    {"without a lease a SYN is dropped", syn(80), NLB_VERDICT_no_lease, no_lease},
    {"past the lease a SYN is dropped", syn(80), NLB_VERDICT_no_lease, past_lease},
    {"long past the lease a SYN is dropped", syn(80), NLB_VERDICT_no_lease, long_past_lease},
    {"within the lease a SYN is accepted", syn(80), NLB_VERDICT_owned, lease_for_a_minute},
    {"without a lease a segment goes on", segment(kAck | kPsh), NLB_VERDICT_owned, no_lease},
    {"past the lease a segment goes on", segment(kAck), NLB_VERDICT_owned, past_lease},
    {"without a lease a datagram is dropped", datagram(443), NLB_VERDICT_no_lease, no_lease},
    {"without a lease an echo request is dropped", to_vip(1, icmp(8)), NLB_VERDICT_no_lease, no_lease},
    {"without a lease GRE is dropped", to_vip(47, Frame(8, 0)), NLB_VERDICT_no_lease, no_lease},
    {"without a lease a foreign SYN is still foreign", syn(80), NLB_VERDICT_foreign,
     [](Arrangement& a) { foreign(a), no_lease(a); }},
    {"owned checked past the lease drops a SYN", syn(80), NLB_VERDICT_no_lease,
     [](Arrangement& a) { owned_checked(a), past_lease(a); }},
};
NLB_FIXTURES(LeaseFixtures, kLease);

Frame error(uint8_t type, uint32_t inner_from) {
  return kToCluster.wrap(
      0x0800, Ipv4{kStranger, kVip}.wrap(1, icmp(type, Ipv4{inner_from, kClient}.wrap(6, Frame(8, 0)))));
}
const Fixture kIcmp[] = {
    {"unreachable about a VIPs packet is accepted by all", error(3, kVip), NLB_VERDICT_icmp_error, foreign},
    {"source quench about a VIPs packet is accepted by all", error(4, kVip), NLB_VERDICT_icmp_error, foreign},
    {"redirect about a VIPs packet is accepted by all", error(5, kVip), NLB_VERDICT_icmp_error, foreign},
    {"time exceeded about a VIPs packet is accepted by all", error(11, kVip), NLB_VERDICT_icmp_error,
     foreign},
    {"parameter problem about a VIPs packet is accepted by all", error(12, kVip), NLB_VERDICT_icmp_error,
     foreign},
    {"an error about another VIPs packet is accepted", error(3, kOtherVip), NLB_VERDICT_icmp_error, foreign},
    {"an error about a strangers packet is dropped", error(3, kStranger), NLB_VERDICT_icmp_unrelated},
    {"an error without a lease is dropped", error(3, kVip), NLB_VERDICT_no_lease, no_lease},
    {"an error that is cut is bad", to_vip(1, icmp(3, Frame(19, 0x45))), NLB_VERDICT_bad_header},
    {"an echo request with data goes by the echo slot", to_vip(1, icmp(8, Frame(56, 1))), NLB_VERDICT_owned,
     only(kEchoSlot)},
    {"an echo reply goes by the default slot", to_vip(1, icmp(0)), NLB_VERDICT_owned, only(kDefaultSlot)},
    {"a timestamp request goes by the default slot", to_vip(1, icmp(13)), NLB_VERDICT_owned,
     only(kDefaultSlot)},
};
NLB_FIXTURES(IcmpFixtures, kIcmp);

// One bucket is owned, the one that a client should have by its rule's affinity.
class Affinities : public testing::Test {
 protected:
  void SetUp() override {
    harness().configure(example_config());
    harness().set_lease(kForever);
    harness().set_all_buckets(BucketState::foreign);
  }
  void own(std::size_t slot, Affinity affinity, uint32_t client, uint16_t port) {
    SlotStates states{};
    states[FilterModel::bucket_of(example_config(), affinity, IpAddress::v4(client), port)] =
        BucketState::owned;
    harness().set_buckets(slot, states);
  }
  static bool accepted(uint32_t client, uint16_t from, uint16_t to, uint8_t protocol = 6) {
    const Frame payload = protocol == 6 ? tcp(from, to, kSyn) : udp(from, to);
    const Frame frame = kToCluster.wrap(0x0800, Ipv4{client, kVip}.wrap(protocol, payload));
    const bool by_xdp = harness().run(Hook::xdp, frame).verdict == NLB_VERDICT_owned;
    EXPECT_EQ(by_xdp, harness().run(Hook::ingress, frame).verdict == NLB_VERDICT_owned);
    return by_xdp;
  }
};

TEST_F(Affinities, none_counts_the_port) {
  own(0, Affinity::none, kClient, 40000);
  EXPECT_TRUE(accepted(kClient, 40000, 80));
  EXPECT_FALSE(accepted(kClient, 40001, 80));
  EXPECT_FALSE(accepted(kStranger, 40000, 80));
}

TEST_F(Affinities, single_counts_the_address_alone) {
  own(1, Affinity::single, kClient, 0);
  EXPECT_TRUE(accepted(kClient, 40000, 443));
  EXPECT_TRUE(accepted(kClient, 9, 443));
  EXPECT_TRUE(accepted(kClient, 40000, 443, 17));
  EXPECT_FALSE(accepted(kStranger, 40000, 443));
}

TEST_F(Affinities, network_counts_the_first_24_bits) {
  own(5, Affinity::network, kClient, 0);
  EXPECT_TRUE(accepted(kClient, 1, 8000));
  EXPECT_TRUE(accepted(ip("10.0.0.200"), 2, 8000));
  EXPECT_FALSE(accepted(ip("10.0.1.99"), 1, 8000));
}

}  // namespace
}  // namespace nlb::test
