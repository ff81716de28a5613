// SPDX-License-Identifier: Apache-2.0
// Frames that are not finished: a checksum is left to the kernel or the hardware, a large packet is to be
// cut. What the guest chooses of it must not come to lie over what was judged.
#include "fixtures.hh"

namespace nlb::test {
namespace {

using namespace why;

constexpr int kIpv4Header = 14 + 20, kIpv6Header = 14 + 40;
const auto kNothing = [](Arrangement&) {};
const auto kDhcpGuard = flags(NLB_GUARD_PORT_DHCP_GUARD);

GuardFixture left(const char* sentence, const Frame& frame, OpenChecksum checksum, nlb_guard_reason reason,
                  const std::function<void(Arrangement&)>& arrange = kNothing) {
  return {sentence, frame, reason, reason, reason, arrange, checksum};
}
GuardFixture large(const char* sentence, const Frame& frame, nlb_guard_reason reason) {
  return {sentence, frame, reason, reason, reason, kNothing, {}, true};
}
Frame with_payload(uint16_t type, const Frame& payload) {
  return Ethernet{kGateway, kOwn}.wrap(type, payload);
}
Frame fragment(uint16_t place) {
  Ipv4 header{kIp, kFree};
  header.fragment = place;
  return Ethernet{kGateway, kOwn}.wrap(0x0800, header.wrap(17, udp(1000, 2000)));
}

const Frame kTcp = ipv4_frame(kIp), kUdp = ipv4_frame(kIp, 17, udp(1000, 2000));
const Frame kTruthfulArp = arp_frame({kRequest, kOwn, kIp, kNone, kFree});
const Frame kTcp6 = ipv6_frame(kIp6, 6, tcp(1000, 80, kSyn));
const Frame kAdvertisement = nd_frame(kIp6, advertisement(kIp6, link_layer(kTargetOption, kOwn)));

const GuardFixture kChecksum[] = {
    left("the checksum of TCP", kTcp, {kIpv4Header, kIpv4Header + 16}, passed),
    left("the checksum of TCP behind a tag", tagged(kTcp, {5}), {kIpv4Header + 4, kIpv4Header + 20}, passed),
    left("the checksum of UDP", kUdp, {kIpv4Header, kIpv4Header + 6}, passed, kDhcpGuard),
    left("the checksum of SCTP", ipv4_frame(kIp, 132, Frame(24, 0)), {kIpv4Header, kIpv4Header + 8}, passed),
    left("the checksum of TCP over IPv6", kTcp6, {kIpv6Header, kIpv6Header + 16}, passed),
    left("the checksum of UDP behind an extension header",
         ipv6_frame(kIp6, 60, joined({extension(17), udp(1, 2)})), {kIpv6Header + 8, kIpv6Header + 14},
         passed),
    left("the checksum of TCP within a tunnel over UDP",
         ipv4_frame(kIp, 17, joined({udp(1, 4789), Frame(80, 0)})), {kIpv4Header + 50, kIpv4Header + 66},
         passed),
    left("the checksum of TCP within a tunnel over GRE", ipv4_frame(kIp, 47, Frame(80, 0)),
         {kIpv4Header + 24, kIpv4Header + 40}, passed),
    left("the checksum of a protocol of nobodys", with_payload(0x1234, Frame(60, 0)), {14, 18}, passed),
    left("over the address that ARP claims", kTruthfulArp, {20, 30}, checksum_offload),
    left("over the MAC that ARP claims", kTruthfulArp, {20, 24}, checksum_offload),
    left("over the address that ARP claims behind a tag", tagged(kTruthfulArp, {0}), {24, 34},
         checksum_offload),
    left("behind ARP", kTruthfulArp, {20, 44}, checksum_offload),
    left("over the MAC of reverse ARP", Ethernet{kAll, kOwn}.wrap(0x8035, Arp{3, kOwn, 0, kOwn, 0}.bytes()),
         {20, 24}, checksum_offload),
    left("over the Ethernet source", kTcp, {4, 10}, checksum_offload),
    left("over the EtherType", with_payload(0x1234, Frame(60, 0)), {0, 12}, checksum_offload),
    left("begun before the payload", with_payload(0x1234, Frame(60, 0)), {0, 40}, checksum_offload),
    left("over the source address of IPv4", kTcp, {14, 28}, checksum_offload),
    left("over the protocol of IPv4", kTcp, {14, 22}, checksum_offload),
    left("begun in the header of IPv4", kTcp, {20, kIpv4Header + 16}, checksum_offload),
    left("over the source address of IPv6", kTcp6, {14, 22}, checksum_offload),
    left("over the ports of UDP", kUdp, {kIpv4Header, kIpv4Header + 2}, checksum_offload),
    left("over the last octet of the ports of UDP", kUdp, {kIpv4Header, kIpv4Header + 3}, checksum_offload),
    left("over the type of ICMP", ipv4_frame(kIp, 1, icmp(8)), {kIpv4Header, kIpv4Header}, checksum_offload),
    left("over the number of a virtual router", ipv4_frame(kIp, 112, {0x31, 1, 100, 1, 0, 1, 0, 0}),
         {kIpv4Header, kIpv4Header + 1}, checksum_offload),
    left("over an extension header", ipv6_frame(kIp6, 60, joined({extension(17), udp(1, 2)})),
         {kIpv6Header, kIpv6Header + 6}, checksum_offload),
    left("over the target of an advertisement", kAdvertisement, {kIpv6Header, kIpv6Header + 22},
         checksum_offload),
    left("where an advertisement has its checksum", kAdvertisement, {kIpv6Header, kIpv6Header + 2},
         checksum_offload),
    left("in a first fragment", fragment(0x2000), {kIpv4Header, kIpv4Header + 6}, checksum_offload),
    left("in a later fragment", fragment(3), {kIpv4Header, kIpv4Header + 6}, checksum_offload),
    left("in a fragment of IPv6", ipv6_frame(kIp6, 44, joined({fragment_header(17, 0, true), udp(1, 2)})),
         {kIpv6Header + 8, kIpv6Header + 14}, checksum_offload),
    left("over the address that ARP claims of a neighbour", arp_frame({kRequest, kOwn, kOtherIp, kNone, 1}),
         {20, 30}, neighbour_address),
    large("a large TCP packet", kTcp, passed),
    large("a large UDP packet over IPv6", ipv6_frame(kIp6, 17, udp(1, 2)), passed),
    large("large ARP", kTruthfulArp, checksum_offload),
    large("a large packet that is a later fragment", fragment(3), checksum_offload),
};
NLB_GUARD_FIXTURES(Unfinished, guest_transmit, kChecksum);

const GuardFixture kFromUplink[] = {
    left("from the uplink the checksum of TCP", ipv4_frame(kFree, 6, tcp(1, 2, kAck), kGateway),
         {kIpv4Header, kIpv4Header + 16}, passed),
    left("from the uplink over the address that ARP claims", arp_frame({kReply, kGateway, kFree, kOwn, kIp}),
         {20, 30}, checksum_offload),
    left("from the uplink over the target of an advertisement",
         nd_frame(kFree6, advertisement(kFree6, link_layer(kTargetOption, kGateway)), kGateway),
         {kIpv6Header, kIpv6Header + 22}, checksum_offload),
    left("from the uplink over the Ethernet source", ipv4_frame(kFree, 6, tcp(1, 2, kAck), kGateway), {4, 10},
         checksum_offload),
};
NLB_GUARD_FIXTURES(UnfinishedFromUplink, uplink_transmit, kFromUplink);

}  // namespace
}  // namespace nlb::test
