// SPDX-License-Identifier: Apache-2.0
// IPv6 inward: extension headers, fragments, ICMPv6, and neighbour discovery: who is answered and how.
#include "fixtures.hh"

namespace nlb::test {
namespace {

void unbound(Arrangement& a) {
  a.config.bound = false;
}
void no_lease(Arrangement& a) {
  a.lease = 0;
}
void foreign(Arrangement& a) {
  state(a, BucketState::foreign);
}
Frame framed(const Frame& packet, const MacAddress& to = kClusterMac) {
  return Ethernet{to, kClientMac}.wrap(0x86dd, packet);
}
Frame to_vip6(uint8_t next, const Frame& payload) {
  return framed(ipv6(kClient6, kVip6, next, payload, 64));
}
Frame behind(std::size_t headers, uint8_t next, const Frame& payload) {
  Frame all = payload;
  for (; headers > 0; --headers, next = 60) all = joined({extension(next), all});
  return all;
}
Frame spoiled(Frame frame, std::size_t at, uint8_t value) {
  frame[at] = value;
  return frame;
}
const Frame kSyn443 = tcp(40000, 443, kSyn);
const Frame kLater = fragment_header(17, 100, false);

const Fixture kIpv6[] = {
    {"a SYN to the VIP is accepted", to_vip6(6, kSyn443), NLB_VERDICT_owned},
    {"a SYN to the second VIP is accepted", framed(ipv6(kClient6, kOtherVip6, 6, kSyn443)),
     NLB_VERDICT_owned},
    {"a SYN of a foreign bucket is dropped", to_vip6(6, kSyn443), NLB_VERDICT_foreign, foreign},
    {"a SYN past the lease is dropped", to_vip6(6, kSyn443), NLB_VERDICT_no_lease, no_lease},
    {"a SYN is dropped where nothing is bound", to_vip6(6, kSyn443), NLB_VERDICT_not_bound, unbound},
    {"a disabled rule drops", to_vip6(6, tcp(40000, 23, kSyn)), NLB_VERDICT_rule_disabled},
    {"UDP is accepted", to_vip6(17, udp(40000, 1000)), NLB_VERDICT_owned},
    {"a segment of a bucket in transition is a stray", to_vip6(6, tcp(1, 443, kAck)), NLB_VERDICT_stray,
     [](Arrangement& a) { state(a, BucketState::owned_checked); }},
    {"a segment without a socket is left to connection tracking", to_vip6(6, tcp(1, 443, kAck)),
     NLB_VERDICT_asked,
     [](Arrangement& a) {
       state(a, BucketState::owned_checked);
       a.config.asks_tracking = true;
     }},
    {"GRE goes by the rule of TCP 1723", to_vip6(47, Frame(8, 0)), NLB_VERDICT_foreign,
     [](Arrangement& a) {
       a.slots = {{7, BucketState::foreign}};
     }},
    {"ESP goes by the rule of UDP 500", to_vip6(50, Frame(8, 0)), NLB_VERDICT_foreign,
     [](Arrangement& a) {
       a.slots = {{8, BucketState::foreign}};
     }},
    {"SCTP goes by a rule of both protocols", to_vip6(132, sctp(443)), NLB_VERDICT_foreign,
     [](Arrangement& a) {
       a.slots = {{1, BucketState::foreign}};
     }},
    {"SCTP cut off within its ports is dropped", to_vip6(132, Frame(3, 0)), NLB_VERDICT_bad_header},
    {"another address passes", framed(ipv6(kClient6, kDedicated6, 6, kSyn443), kAdapterMac),
     NLB_VERDICT_passed},
    {"another address by the cluster MAC is dropped", framed(ipv6(kClient6, kDedicated6, 6, kSyn443)),
     NLB_VERDICT_not_vip},
    {"a rule that names the VIP holds for it alone",
     framed(ipv6(kClient6, kOtherVip6, 6, tcp(40000, 8090, kSyn))), NLB_VERDICT_foreign,
     [](Arrangement& a) {
       a.slots = {{6, BucketState::foreign}};
     }},
    {"and not for another", to_vip6(6, tcp(40000, 8090, kSyn)), NLB_VERDICT_owned,
     [](Arrangement& a) {
       a.slots = {{6, BucketState::foreign}};
     }},
    {"a priority tag is looked through",
     Ethernet{kClusterMac, kClientMac, {0}}.wrap(0x86dd, ipv6(kClient6, kVip6, 6, kSyn443)),
     NLB_VERDICT_owned},
    {"a protocol without ports goes to the default slot", to_vip6(132, Frame(12, 1)), NLB_VERDICT_owned},
    {"no next header goes to the default slot", to_vip6(59, {}), NLB_VERDICT_owned},
    {"the header's version is not 6", spoiled(to_vip6(6, kSyn443), 14, 0x40), NLB_VERDICT_bad_header},
    {"the header promises more than there is", spoiled(to_vip6(6, kSyn443), 19, 200), NLB_VERDICT_bad_header},
    {"the header promises less than TCP's own", spoiled(to_vip6(6, kSyn443), 19, 19), NLB_VERDICT_bad_header},
    {"a v4-mapped source is nobody's", framed(ipv6(IpAddress::v4(kClient), kVip6, 6, kSyn443)),
     NLB_VERDICT_bad_header},
    {"a v4-mapped destination is no VIP", framed(ipv6(kClient6, IpAddress::v4(kVip), 6, kSyn443)),
     NLB_VERDICT_not_vip},

    {"one extension header is looked behind", to_vip6(0, behind(1, 6, kSyn443)), NLB_VERDICT_owned},
    {"eight extension headers are looked behind", to_vip6(60, behind(8, 6, kSyn443)), NLB_VERDICT_owned},
    {"nine are too many", to_vip6(60, behind(9, 6, kSyn443)), NLB_VERDICT_header_chain},
    {"a large header is stepped over", to_vip6(43, joined({extension(6, 60), kSyn443})), NLB_VERDICT_owned},
    {"a chain that is cut off", to_vip6(0, Frame{60, 0}), NLB_VERDICT_header_chain},
    {"a header that reaches past the packet", to_vip6(0, extension(6, 0)), NLB_VERDICT_bad_header},
    {"a disabled rule drops behind headers too", to_vip6(60, behind(2, 6, tcp(4, 23, kSyn))),
     NLB_VERDICT_rule_disabled},

    {"a first fragment is judged by its ports",
     to_vip6(44, joined({fragment_header(17, 0, true), udp(40000, 1000, 40)})), NLB_VERDICT_owned},
    {"a later one follows it",
     to_vip6(44, joined({kLater, Frame(80, 5)})),
     NLB_VERDICT_fragment,
     [](Arrangement&) {},
     {to_vip6(44, joined({fragment_header(17, 0, true), udp(40000, 1000, 40)}))}},
    {"a later one of another packet does not",
     to_vip6(44, joined({fragment_header(17, 100, false, 78), Frame(80, 5)})),
     NLB_VERDICT_fragment_unknown,
     [](Arrangement&) {},
     {to_vip6(44, joined({fragment_header(17, 0, true), udp(40000, 1000, 40)}))}},
    {"a later one of a dropped first is dropped",
     to_vip6(44, joined({kLater, Frame(80, 5)})),
     NLB_VERDICT_fragment_unknown,
     foreign,
     {to_vip6(44, joined({fragment_header(17, 0, true), udp(40000, 1000, 40)}))}},
    {"an atomic fragment is no fragment (RFC 6946)",
     to_vip6(44, joined({fragment_header(6, 0, false), kSyn443})), NLB_VERDICT_owned},
    {"two fragment headers are refused",
     to_vip6(44, joined({fragment_header(44, 0, true), fragment_header(6, 0, false), kSyn443})),
     NLB_VERDICT_header_chain},
    {"a first fragment without its ports is refused (RFC 7112)",
     to_vip6(44, joined({fragment_header(17, 0, true), Frame(4, 0)})), NLB_VERDICT_bad_header},
};
NLB_FIXTURES(Ipv6Fixtures, kIpv6);

Frame error(uint8_t type, const IpAddress& about) {
  return icmp(type, ipv6(about, kClient6, 6, Frame(20, 0)));
}
const Fixture kIcmpv6[] = {
    {"echo belongs to its own slot", to_vip6(58, icmp(128)), NLB_VERDICT_foreign,
     [](Arrangement& a) {
       a.slots = {{kEchoSlot, BucketState::foreign}};
     }},
    {"an owned echo is accepted", to_vip6(58, icmp(128)), NLB_VERDICT_owned},
    {"packet too big about the VIP is accepted by all", to_vip6(58, error(2, kVip6)), NLB_VERDICT_icmp_error,
     foreign},
    {"so is unreachable", to_vip6(58, error(1, kVip6)), NLB_VERDICT_icmp_error, foreign},
    {"so is time exceeded", to_vip6(58, error(3, kOtherVip6)), NLB_VERDICT_icmp_error, foreign},
    {"so is a parameter problem behind headers", to_vip6(0, joined({extension(58), error(4, kVip6)})),
     NLB_VERDICT_icmp_error, foreign},
    {"an error past the lease is dropped", to_vip6(58, error(2, kVip6)), NLB_VERDICT_no_lease, no_lease},
    {"an error about another address is unrelated", to_vip6(58, error(2, kStranger6)),
     NLB_VERDICT_icmp_unrelated},
    {"an error that is cut off", to_vip6(58, icmp(2, Frame(39, 0))), NLB_VERDICT_bad_header},
    {"ICMPv6 that is cut off", to_vip6(58, Frame(7, 128)), NLB_VERDICT_bad_header},
    {"other ICMPv6 goes to the default slot", to_vip6(58, icmp(129)), NLB_VERDICT_foreign,
     [](Arrangement& a) {
       a.slots = {{kDefaultSlot, BucketState::foreign}};
     }},
};
NLB_FIXTURES(Icmpv6Fixtures, kIcmpv6);

const IpAddress kGroup6 = ip6("ff02::1:ff00:10");  // solicited-node, of the VIP
const MacAddress kGroupMac = mac("33:33:ff:00:00:10"), kAllNodesMac = mac("33:33:00:00:00:01");
Frame source(const MacAddress& mac) {
  return link_layer(kSourceOption, mac);
}
Frame target(const MacAddress& mac) {
  return link_layer(kTargetOption, mac);
}
Frame nd(const IpAddress& from, const IpAddress& to, const Frame& message, const MacAddress& mac = kGroupMac,
         uint8_t hop_limit = 255) {
  return framed(ipv6(from, to, 58, message, hop_limit), mac);
}
const Frame kAsked = nd(kClient6, kGroup6, solicitation(kVip6, source(kClientMac)));
const Frame kProbed = nd(kNone6, kGroup6, solicitation(kVip6, {}));

const Fixture kDiscovery[] = {
    {"a solicitation for the VIP is answered", kAsked, NLB_VERDICT_nd_answered},
    {"though all buckets are foreign", kAsked, NLB_VERDICT_nd_answered, foreign},
    {"a unicast one to the cluster MAC is answered",
     nd(kClient6, kVip6, solicitation(kVip6, {}), kClusterMac), NLB_VERDICT_nd_answered},
    {"duplicate address detection by others is answered", kProbed, NLB_VERDICT_nd_answered},
    {"one behind an extension header is answered",
     framed(ipv6(kClient6, kGroup6, 60, joined({extension(58), solicitation(kVip6, source(kClientMac))})),
            kGroupMac),
     NLB_VERDICT_nd_answered},
    {"none is answered where nothing is bound", kAsked, NLB_VERDICT_not_bound, unbound},
    {"none is answered without a lease", kAsked, NLB_VERDICT_no_lease, no_lease},
    {"one for another address is the kernels",
     nd(kClient6, kGroup6, solicitation(kDedicated6, source(kClientMac))), NLB_VERDICT_passed},
    {"one from beyond the link is none (hop limit)",
     nd(kClient6, kGroup6, solicitation(kVip6, source(kClientMac)), kGroupMac, 254), NLB_VERDICT_passed},
    {"nor is one with a code", spoiled(kAsked, 55, 1), NLB_VERDICT_passed},
    {"one that is cut off is dropped by the VIP",
     nd(kClient6, kVip6, Frame{135, 0, 0, 0, 0, 0, 0, 0, 0x20, 1}, kClusterMac), NLB_VERDICT_bad_header},
    {"one in fragments is dropped by the VIP (RFC 6980)",
     to_vip6(44, joined({fragment_header(58, 0, false), solicitation(kVip6, {})})), NLB_VERDICT_bad_header},
    {"a peer that asks for the VIP at the cluster MAC is known",
     nd(kVip6, kGroup6, solicitation(kStranger6, source(kClusterMac))), NLB_VERDICT_nd_peer},
    {"a peers announcement is known",
     nd(kVip6, kAllNodes6, advertisement(kVip6, target(kClusterMac)), kAllNodesMac), NLB_VERDICT_nd_peer},
    {"an announcement of the VIP by another MAC is a conflict",
     nd(kVip6, kAllNodes6, advertisement(kVip6, target(kClientMac)), kAllNodesMac), NLB_VERDICT_vip_conflict},
    {"one without a MAC is a conflict", nd(kVip6, kAllNodes6, advertisement(kVip6, {}), kAllNodesMac),
     NLB_VERDICT_vip_conflict},
    {"one with two MACs is a conflict",
     nd(kVip6, kAllNodes6, advertisement(kVip6, joined({target(kClusterMac), target(kClientMac)})),
        kAllNodesMac),
     NLB_VERDICT_vip_conflict},
    {"one with options that do not end is a conflict",
     nd(kVip6, kAllNodes6, advertisement(kVip6, joined({target(kClusterMac), Frame(8, 0)})), kAllNodesMac),
     NLB_VERDICT_vip_conflict},
    {"one with sixteen options is read",
     nd(kVip6, kAllNodes6, advertisement(kVip6, joined({nonces(15), target(kClusterMac)})), kAllNodesMac),
     NLB_VERDICT_nd_peer},
    {"one with seventeen options is a conflict",
     nd(kVip6, kAllNodes6, advertisement(kVip6, joined({nonces(16), target(kClusterMac)})), kAllNodesMac),
     NLB_VERDICT_vip_conflict},
    {"a solicitation from the VIP by a stranger is a conflict",
     nd(kVip6, kGroup6, solicitation(kStranger6, source(kClientMac))), NLB_VERDICT_vip_conflict},
    {"a redirect that names the VIP elsewhere is a conflict",
     nd(kStranger6, kDedicated6, nd_redirect(kVip6, kVip6, target(kClientMac)), kAdapterMac),
     NLB_VERDICT_vip_conflict},
    {"a conflict is seen where nothing is bound",
     nd(kVip6, kAllNodes6, advertisement(kVip6, target(kClientMac)), kAllNodesMac), NLB_VERDICT_vip_conflict,
     unbound},
    {"an advertisement to a VIP is accepted by all",
     nd(kClient6, kVip6, advertisement(kClient6, target(kClientMac)), kClusterMac), NLB_VERDICT_nd_to_vip,
     foreign},
    {"an advertisement to the cluster MAC is accepted before anything is bound",
     nd(kClient6, kDedicated6, advertisement(kClient6, target(kClientMac)), kClusterMac),
     NLB_VERDICT_nd_to_vip, unbound},
    {"a redirect to a VIP is accepted by all",
     nd(kStranger6, kVip6, nd_redirect(kClient6, kClient6, {}), kClusterMac), NLB_VERDICT_nd_to_vip, foreign},
    {"a router solicitation to a VIP is nobodys", nd(kClient6, kVip6, router_solicitation({}), kClusterMac),
     NLB_VERDICT_bad_header},
    {"an advertisement to the own MAC passes",
     nd(kClient6, kDedicated6, advertisement(kClient6, target(kClientMac)), kAdapterMac), NLB_VERDICT_passed},
};
NLB_FIXTURES(DiscoveryFixtures, kDiscovery);

// What tc sends back, with its checksum.
Frame answer_to(const Frame& question, bool replace = false) {
  FilterConfig config = example_config();
  config.replace = replace;
  harness().configure(config);
  harness().set_lease(kForever);
  return harness().run(Hook::ingress, question).frame;
}
Frame answer(const IpAddress& to, const MacAddress& mac, uint8_t flags, const MacAddress& from,
             const std::vector<uint16_t>& tags = {}) {
  Frame message = advertisement(kVip6, target(kClusterMac));
  message[4] = flags;
  return Ethernet{mac, from, tags}.wrap(0x86dd, summed(ipv6(kVip6, to, 58, message)));
}
constexpr uint8_t kSolicited = 0x40, kOverride = 0x20;

TEST(DiscoveryAnswer, binds_the_vip_to_the_cluster_mac_and_comes_from_the_own_mac) {
  EXPECT_EQ(answer_to(kAsked), answer(kClient6, kClientMac, kSolicited | kOverride, kAdapterMac));
}

TEST(DiscoveryAnswer, comes_from_the_masked_mac_under_replace) {
  EXPECT_EQ(answer_to(kAsked, true), answer(kClient6, kClientMac, kSolicited | kOverride, kMaskedMac));
}

TEST(DiscoveryAnswer, goes_to_all_nodes_when_somebody_looks_for_duplicates) {
  EXPECT_EQ(answer_to(kProbed), answer(kAllNodes6, kAllNodesMac, kOverride, kAdapterMac));
}

TEST(DiscoveryAnswer, carries_its_option_whatever_the_question_carried) {
  const Frame wanted = answer(kClient6, kClientMac, kSolicited | kOverride, kAdapterMac);
  EXPECT_EQ(answer_to(nd(kClient6, kVip6, solicitation(kVip6, {}), kClusterMac)), wanted);
  EXPECT_EQ(answer_to(nd(kClient6, kVip6, solicitation(kVip6, nonces(5)), kClusterMac)), wanted);
}

TEST(DiscoveryAnswer, finds_its_question_behind_headers_and_a_priority_tag) {
  const Frame packet = ipv6(kClient6, kGroup6, 0, joined({extension(58), solicitation(kVip6, nonces(1))}));
  EXPECT_EQ(answer_to(Ethernet{kGroupMac, kClientMac, {0}}.wrap(0x86dd, packet)),
            answer(kClient6, kClientMac, kSolicited | kOverride, kAdapterMac, {0}));
}

}  // namespace
}  // namespace nlb::test
