// SPDX-License-Identifier: Apache-2.0
// Which frames the filter judges at all, and frames that lie about themselves.
#include "fixtures.hh"

namespace nlb::test {
namespace {

const Frame kSyn80 = tcp(40000, 80, kSyn);

Frame with(Frame frame, std::size_t at, uint8_t value) {
  frame[at] = value;
  return frame;
}
Frame cut(Frame frame, std::size_t bytes) {
  frame.resize(bytes);
  return frame;
}
Frame to_own_mac(const Frame& ip_packet) {
  return Ethernet{kAdapterMac, kClientMac}.wrap(0x0800, ip_packet);
}
Frame tagged(std::vector<uint16_t> tags) {
  return Ethernet{kClusterMac, kClientMac, std::move(tags)}.wrap(0x0800, Ipv4{kClient, kVip}.wrap(6, kSyn80));
}
void replacing(Arrangement& a) {
  a.config.replace = true;
}
void unbound(Arrangement& a) {
  a.config.bound = false;
}
const Frame kOptions8 = kToCluster.wrap(0x0800, Ipv4{kClient, kVip, 1, 0, 8}.wrap(6, kSyn80));
const Frame kOptions40 = kToCluster.wrap(0x0800, Ipv4{kClient, kVip, 1, 0, 40}.wrap(6, kSyn80));
const Frame kPlain = to_vip(6, kSyn80);
Frame padded(Frame frame, std::size_t bytes) {
  frame.resize(bytes, 0);
  return frame;
}
Frame foreign_ip(const Ethernet& ethernet) {
  return ethernet.wrap(0x0800, Ipv4{kClient, kStranger}.wrap(6, kSyn80));
}

const Fixture kFrames[] = {
    {"a TCP SYN to the VIP by the cluster MAC is judged", kPlain, NLB_VERDICT_owned},
    {"the VIP by the adapters own MAC is judged all the same",
     to_own_mac(Ipv4{kClient, kVip}.wrap(6, kSyn80)), NLB_VERDICT_owned},
    {"the VIP by broadcast is judged all the same",
     Ethernet{kBroadcast, kClientMac}.wrap(0x0800, Ipv4{kClient, kVip}.wrap(6, kSyn80)), NLB_VERDICT_owned},
    {"the second VIP is judged", kToCluster.wrap(0x0800, Ipv4{kClient, kOtherVip}.wrap(6, kSyn80)),
     NLB_VERDICT_owned},
    {"another address by the adapters own MAC passes", to_own_mac(Ipv4{kClient, kDedicated}.wrap(6, kSyn80)),
     NLB_VERDICT_passed},
    {"another address by the cluster MAC is dropped", foreign_ip(kToCluster), NLB_VERDICT_not_vip},
    {"another address by the cluster MAC is dropped under replace too", foreign_ip(kToCluster),
     NLB_VERDICT_not_vip, replacing},
    {"another address by broadcast passes", foreign_ip({kBroadcast, kClientMac}), NLB_VERDICT_passed},
    {"another address by the masked MAC is the hosts under replace", foreign_ip({kMaskedMac, kClientMac}),
     NLB_VERDICT_host, replacing},
    {"another address by the former MAC is the hosts under replace", foreign_ip({kAdapterMac, kClientMac}),
     NLB_VERDICT_host, replacing},
    {"another address by the masked MAC passes untouched under add", foreign_ip({kMaskedMac, kClientMac}),
     NLB_VERDICT_passed},
    {"the VIP by the masked MAC is judged under replace",
     Ethernet{kMaskedMac, kClientMac}.wrap(0x0800, Ipv4{kClient, kVip}.wrap(6, kSyn80)), NLB_VERDICT_foreign,
     [](Arrangement& a) { replacing(a), state(a, BucketState::foreign); }},
    {"IPv6 by the adapters own MAC passes", Ethernet{kAdapterMac, kClientMac}.wrap(0x86dd, Frame(60, 6)),
     NLB_VERDICT_passed},
    {"IPv6 by the cluster MAC is dropped", kToCluster.wrap(0x86dd, Frame(60, 6)), NLB_VERDICT_not_vip},
    {"IPv6 by the masked MAC is the hosts under replace",
     Ethernet{kMaskedMac, kClientMac}.wrap(0x86dd, Frame(60, 6)), NLB_VERDICT_host, replacing},
    {"an unknown protocol by the cluster MAC is dropped", kToCluster.wrap(0x1234, Frame(60, 1)),
     NLB_VERDICT_not_vip},
    {"an unknown protocol by broadcast passes", Ethernet{kBroadcast, kClientMac}.wrap(0x1234, Frame(60, 1)),
     NLB_VERDICT_passed},
    {"a heartbeat to the cluster MAC passes", kToCluster.wrap(0x88b5, Frame(60, 1)), NLB_VERDICT_heartbeat},
    {"a heartbeat to the group passes",
     Ethernet{mac("03:bf:0a:00:00:0a"), kClientMac}.wrap(0x88b5, Frame(60, 1)), NLB_VERDICT_heartbeat},
    {"a heartbeat passes where nothing is bound", kToCluster.wrap(0x88b5, Frame(60, 1)),
     NLB_VERDICT_heartbeat, unbound},
    {"a heartbeat with a priority tag passes",
     Ethernet{kClusterMac, kClientMac, {0}}.wrap(0x88b5, Frame(60, 1)), NLB_VERDICT_heartbeat},
    {"without a cluster MAC configured nothing is dropped for its MAC", foreign_ip({kNobody, kClientMac}),
     NLB_VERDICT_passed, [](Arrangement& a) { a.config.cluster_mac = kNobody; }},
    {"IGMP to a group by the cluster MAC passes for the kernel must answer queries",
     kToCluster.wrap(0x0800, Ipv4{kClient, ip("239.255.0.10")}.wrap(2, Frame(8, 0x11))), NLB_VERDICT_passed},
    {"IGMP to a unicast address by the cluster MAC is dropped",
     kToCluster.wrap(0x0800, Ipv4{kClient, kStranger}.wrap(2, Frame(8, 0x11))), NLB_VERDICT_not_vip},
    {"a VIP of a configuration without VIPs is nobodys", to_own_mac(Ipv4{kClient, kVip}.wrap(6, kSyn80)),
     NLB_VERDICT_passed, [](Arrangement& a) { a.config.vips.clear(); }},
    {"address zero is no VIP when there are none", to_own_mac(Ipv4{kClient, 0}.wrap(6, kSyn80)),
     NLB_VERDICT_passed, [](Arrangement& a) { a.config.vips.clear(); }},
    {"a VIP of a host that is not bound is dropped", kPlain, NLB_VERDICT_not_bound, unbound},
    {"not bound comes before a bad header", with(kPlain, 14, 0x65), NLB_VERDICT_not_bound, unbound},

    {"a frame with a VLAN number passes untouched", tagged({10}), NLB_VERDICT_vlan},
    {"a priority tag is no VLAN", tagged({0}), NLB_VERDICT_owned},
    {"a priority tag with priority bits is no VLAN", tagged({0xe000}), NLB_VERDICT_owned},
    {"a VLAN number behind a priority tag passes untouched", tagged({0, 10}), NLB_VERDICT_vlan},
    {"two priority tags are read through", tagged({0, 0}), NLB_VERDICT_owned},
    {"three tags are not read through", tagged({0, 0, 0}), NLB_VERDICT_not_vip},
    {"a VLAN frame to a host that is not bound passes untouched", tagged({10}), NLB_VERDICT_vlan, unbound},
    {"a frame that ends within a tag to the cluster MAC is dropped", cut(tagged({0}), 16),
     NLB_VERDICT_not_vip},

    {"IP options are stepped over", kOptions8, NLB_VERDICT_owned},
    {"the longest IP options are stepped over", kOptions40, NLB_VERDICT_owned},
    {"padding behind a short packet does not matter", padded(to_vip(17, udp(5000, 443, 0)), 60),
     NLB_VERDICT_owned},
    {"a header length below five is bad", with(kPlain, 14, 0x44), NLB_VERDICT_bad_header},
    {"a header length beyond the packet is bad", with(kPlain, 14, 0x4f), NLB_VERDICT_bad_header},
    {"version six in an IPv4 frame is bad", with(kPlain, 14, 0x65), NLB_VERDICT_bad_header},
    {"a total length beyond the frame is bad", with(kPlain, 17, 200), NLB_VERDICT_bad_header},
    {"a total length below the header is bad", with(kPlain, 17, 19), NLB_VERDICT_bad_header},
    {"a total length of zero is bad", with(kPlain, 17, 0), NLB_VERDICT_bad_header},
    {"a TCP header that the packet cuts is bad", cut(kPlain, 45), NLB_VERDICT_bad_header},
    {"a TCP header that the total length cuts is bad", with(kPlain, 17, 39), NLB_VERDICT_bad_header},
    {"a TCP data offset below five is bad", with(kPlain, 46, 0x40), NLB_VERDICT_bad_header},
    {"a TCP data offset beyond the packet is bad", with(kPlain, 46, 0x60), NLB_VERDICT_bad_header},
    {"an IP header that the frame cuts to the cluster MAC is dropped", cut(kPlain, 30), NLB_VERDICT_not_vip},
    {"a UDP header that the packet cuts is bad", to_vip(17, Frame(7, 1)), NLB_VERDICT_bad_header},
    {"a UDP length below eight is bad", with(to_vip(17, udp(1, 443)), 39, 7), NLB_VERDICT_bad_header},
    {"a UDP length beyond the packet is bad", with(to_vip(17, udp(1, 443)), 39, 13), NLB_VERDICT_bad_header},
    {"a UDP datagram shorter than the packet is sound", with(to_vip(17, udp(1, 443)), 39, 9),
     NLB_VERDICT_owned},
    {"an ICMP header that the packet cuts is bad", to_vip(1, Frame(7, 8)), NLB_VERDICT_bad_header},
    {"TCP without any payload length is bad", to_vip(6, {}), NLB_VERDICT_bad_header},
    {"another protocol without payload is sound", to_vip(50, {}), NLB_VERDICT_owned},
};
NLB_FIXTURES(FrameFixtures, kFrames);

Ipv4 piece(uint16_t fragment, uint16_t id = 7) {
  return {kClient, kVip, id, fragment};
}
constexpr uint16_t kMore = 0x2000;
void nothing(Arrangement&) {}
const Frame kFirst = kToCluster.wrap(0x0800, piece(kMore).wrap(17, udp(5000, 443, 16)));
const Frame kLater = kToCluster.wrap(0x0800, piece(kMore | 3).wrap(17, Frame(24, 1)));
const Frame kLast = kToCluster.wrap(0x0800, piece(6).wrap(17, Frame(5, 1)));

const Fixture kFragments[] = {
    {"a first fragment is judged by its ports", kFirst, NLB_VERDICT_owned},
    {"a first fragment may claim a longer UDP datagram than it holds", with(kFirst, 38, 4),
     NLB_VERDICT_owned},
    {"a later fragment follows its first", kLater, NLB_VERDICT_fragment, nothing, {kFirst}},
    {"the last fragment follows its first", kLast, NLB_VERDICT_fragment, nothing, {kFirst, kLater}},
    {"a later fragment without its first is dropped", kLater, NLB_VERDICT_fragment_unknown},
    {"a fragment with another id is dropped",
     kToCluster.wrap(0x0800, piece(3, 8).wrap(17, Frame(24, 1))),
     NLB_VERDICT_fragment_unknown,
     nothing,
     {kFirst}},
    {"a fragment of another protocol is dropped",
     kToCluster.wrap(0x0800, piece(3).wrap(6, Frame(24, 1))),
     NLB_VERDICT_fragment_unknown,
     nothing,
     {kFirst}},
    {"a fragment from another client is dropped",
     kToCluster.wrap(0x0800, Ipv4{kStranger, kVip, 7, 3}.wrap(17, Frame(24, 1))),
     NLB_VERDICT_fragment_unknown,
     nothing,
     {kFirst}},
    {"a fragment to another VIP is dropped",
     kToCluster.wrap(0x0800, Ipv4{kClient, kOtherVip, 7, 3}.wrap(17, Frame(24, 1))),
     NLB_VERDICT_fragment_unknown,
     nothing,
     {kFirst}},
    {"a refused first fragment is not remembered",
     kLater,
     NLB_VERDICT_fragment_unknown,
     [](Arrangement& a) { state(a, BucketState::foreign); },
     {kFirst}},
    {"a whole packet is not remembered",
     kLater,
     NLB_VERDICT_fragment_unknown,
     nothing,
     {kToCluster.wrap(0x0800, piece(0).wrap(17, udp(5000, 443)))}},
    {"a first fragment past the lease is dropped", kFirst, NLB_VERDICT_no_lease,
     [](Arrangement& a) { a.lease = 0; }},
    {"a TCP fragment that would overwrite the flags is bad",
     kToCluster.wrap(0x0800, piece(1).wrap(6, Frame(24, 1))), NLB_VERDICT_bad_header},
    {"a first TCP fragment that cuts its header is bad",
     kToCluster.wrap(0x0800, piece(kMore).wrap(6, Frame(16, 1))), NLB_VERDICT_bad_header},
    {"a first fragment of another protocol is judged by the default slot",
     kToCluster.wrap(0x0800, piece(kMore).wrap(47, Frame(16, 1))), NLB_VERDICT_owned},
};
NLB_FIXTURES(FragmentFixtures, kFragments);

// Longer than a page, so that the driver has it in more than one piece; tc has no test run of such a frame.
class InPieces : public testing::Test {
 protected:
  static constexpr std::size_t kLength = 8000;
  void SetUp() override {
    harness().configure(example_config());
    harness().set_lease(kForever);
    harness().set_all_buckets(BucketState::owned);
  }
  static Frame datagram(bool ipv6_one, int beyond) {
    Frame frame = ipv6_one ? Ethernet{kClusterMac, kClientMac}.wrap(
                                 0x86dd, ipv6(kClient6, kVip6, 17, udp(40000, 80, kLength), 64))
                           : to_vip(17, udp(40000, 80, kLength));
    const std::size_t at = ipv6_one ? 18 : 16;
    const int length = frame[at] << 8 | frame[at + 1];
    frame[at] = static_cast<uint8_t>((length + beyond) >> 8);
    frame[at + 1] = static_cast<uint8_t>(length + beyond);
    return frame;
  }
  static uint32_t verdict(bool ipv6_one, int beyond) {
    return harness().run(Hook::xdp, datagram(ipv6_one, beyond)).verdict;
  }
};

TEST_F(InPieces, a_datagram_is_judged_by_its_first_piece_and_its_whole_length) {
  for (const bool ipv6_one : {false, true}) {
    EXPECT_EQ(verdict(ipv6_one, 0), uint32_t{NLB_VERDICT_owned});
    EXPECT_EQ(verdict(ipv6_one, 1), uint32_t{NLB_VERDICT_bad_header}) << "longer than the frame";
  }
}

}  // namespace
}  // namespace nlb::test
