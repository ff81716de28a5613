// SPDX-License-Identifier: Apache-2.0
// IPv4 and IPv6 from a guest: source addresses, DHCP, redirects, VRRP and CARP, extension headers.
#include "fixtures.hh"

namespace nlb::test {
namespace {

using namespace why;

constexpr uint8_t kTcp = 6, kUdp = 17, kIcmp = 1, kVrrp = 112;
const auto kDhcpGuard = flags(NLB_GUARD_PORT_DHCP_GUARD), kRouterGuard = flags(NLB_GUARD_PORT_ROUTER_GUARD);

Frame fragment(uint16_t fragment_field, uint8_t protocol, const Frame& payload) {
  return Ethernet{kAll, kOwn}.wrap(0x0800, Ipv4{kIp, kFree, 1, fragment_field}.wrap(protocol, payload));
}
Frame with_options(uint8_t protocol, const Frame& payload) {
  return Ethernet{kAll, kOwn}.wrap(0x0800, Ipv4{kIp, kFree, 1, 0, 40}.wrap(protocol, payload));
}
Frame advert(uint8_t version_and_type, uint8_t number) {
  return {version_and_type, number, 100, 1, 0, 1, 0, 0, 10, 77, 0, 150};
}

const GuardFixture kIpv4[] = {
    {"TCP", ipv4_frame(kIp), passed, passed, passed},
    {"TCP from an address in the list", ipv4_frame(kIp), passed, passed, passed, listed},
    {"TCP from an address that is not in the list", ipv4_frame(kFree), ip_address, ip_address, ip_address,
     listed},
    {"TCP from an address that is not in the list to one that may", ipv4_frame(kFree), passed, passed,
     passed},
    {"TCP from a neighbours address", ipv4_frame(kOtherIp), neighbour_address, neighbour_address,
     neighbour_address},
    {"TCP from the address of a guest that runs elsewhere", ipv4_frame(kAbsentIp), neighbour_address,
     neighbour_address, neighbour_address},
    {"TCP from a fellow members address", ipv4_frame(kIp2), neighbour_address, neighbour_address,
     neighbour_address},
    {"TCP from a neighbours address in another VLAN", tagged(ipv4_frame(kOtherIp), {5}), passed, passed,
     passed},
    {"TCP from a neighbours address with a priority tag", tagged(ipv4_frame(kOtherIp), {0xe000}),
     neighbour_address, neighbour_address, neighbour_address},
    {"TCP from a neighbours address on the other bridge", ipv4_frame(kOtherIp), passed, passed, passed,
     on_other_bridge},
    {"TCP from an address of the other bridge on it", ipv4_frame(kFree), neighbour_address, neighbour_address,
     neighbour_address, on_other_bridge},
    {"TCP from the VIP", ipv4_frame(kWebVip), foreign_vip, passed, foreign_vip},
    {"TCP from the VIP where there is a list", ipv4_frame(kWebVip), foreign_vip, passed, foreign_vip, listed},
    {"TCP from the VIP with the masked MAC", ipv4_frame(kWebVip, kTcp, tcp(80, 1000, kAck), kMasked1),
     foreign_cluster, passed, foreign_cluster},
    {"TCP from the VIP of a member under on", ipv4_frame(kWebVip), foreign_vip, passed, passed,
     member_of(kWeb)},
    {"TCP from another clusters VIP", ipv4_frame(kRouterVip), foreign_vip, foreign_vip, foreign_vip},
    {"TCP from another VLANs VIP with a tag", tagged(ipv4_frame(kFarVip), {7}), foreign_vip, foreign_vip,
     foreign_vip},
    {"TCP from another VLANs VIP", ipv4_frame(kFarVip), passed, passed, passed},
    {"a first fragment from the VIP",
     Ethernet{kGateway, kOwn}.wrap(0x0800, Ipv4{kWebVip, kFree, 1, 0x2000}.wrap(kTcp, tcp(1, 2, kAck))),
     foreign_vip, passed, foreign_vip},
    {"a later fragment from a neighbours address",
     Ethernet{kGateway, kOwn}.wrap(0x0800, Ipv4{kOtherIp, kFree, 1, 100}.wrap(kTcp, Frame(40, 1))),
     neighbour_address, neighbour_address, neighbour_address},
    {"a DHCP client", ipv4_frame(0, kUdp, udp(68, 67)), passed, passed, passed,
     [](Arrangement& a) {
       listed(a);
       a.port.flags |= NLB_GUARD_PORT_DHCP_GUARD;
     }},
    {"a DHCP server", ipv4_frame(kIp, kUdp, udp(67, 68)), dhcp_server, dhcp_server, dhcp_server, kDhcpGuard},
    {"a DHCP server with another source port", ipv4_frame(kIp, kUdp, udp(1067, 68)), dhcp_server, dhcp_server,
     dhcp_server, kDhcpGuard},
    {"a DHCP server that may", ipv4_frame(kIp, kUdp, udp(67, 68)), passed, passed, passed},
    {"a DHCP server behind IP options", with_options(kUdp, udp(67, 68)), dhcp_server, dhcp_server,
     dhcp_server, kDhcpGuard},
    {"a DHCP servers first fragment", fragment(0x2000, kUdp, udp(67, 68)), dhcp_server, dhcp_server,
     dhcp_server, kDhcpGuard},
    {"a later fragment that looks like a DHCP server", fragment(0x0001, kUdp, udp(67, 68)), passed, passed,
     passed, kDhcpGuard},
    {"TCP from port 67", ipv4_frame(kIp, kTcp, tcp(67, 68, kSyn)), passed, passed, passed, kDhcpGuard},
    {"a DHCP server with a tag", tagged(ipv4_frame(kIp, kUdp, udp(67, 68)), {5}), dhcp_server, dhcp_server,
     dhcp_server, kDhcpGuard},
    {"UDP without ports", ipv4_frame(kIp, kUdp, {}), passed, passed, passed, kDhcpGuard},
    {"an ICMP redirect", ipv4_frame(kIp, kIcmp, icmp(5)), redirect, redirect, redirect, kRouterGuard},
    {"an ICMP redirect of a router", ipv4_frame(kIp, kIcmp, icmp(5)), passed, passed, passed},
    {"an ICMP redirect behind IP options", with_options(kIcmp, icmp(5)), redirect, redirect, redirect,
     kRouterGuard},
    {"an echo request", ipv4_frame(kIp, kIcmp, icmp(8)), passed, passed, passed, kRouterGuard},
    {"VRRP of a cluster from no member", ipv4_frame(kIp, kVrrp, advert(0x31, 51)), foreign_advertisement,
     foreign_advertisement, foreign_advertisement},
    {"VRRP of a cluster from a member", ipv4_frame(kIp, kVrrp, advert(0x31, 51)), foreign_advertisement,
     passed, passed, member_of(kRouter)},
    {"VRRP of a cluster from a member by the virtual MAC",
     ipv4_frame(kIp, kVrrp, advert(0x21, 51), kVirtual4), foreign_cluster, passed, passed,
     member_of(kRouter)},
    {"VRRP of a number that is a clusters in IPv6 only", ipv4_frame(kIp, kVrrp, advert(0x31, 70)), passed,
     passed, passed},
    {"VRRP of a cluster that nobody declared", ipv4_frame(kIp, kVrrp, advert(0x31, 52)), passed, passed,
     passed},
    {"VRRP behind IP options", with_options(kVrrp, advert(0x31, 51)), foreign_advertisement,
     foreign_advertisement, foreign_advertisement},
    {"VRRP that is cut", ipv4_frame(kIp, kVrrp, {0x31}), passed, passed, passed},
    {"CARP of a cluster from no member", ipv4_frame(kIp, kVrrp, advert(0x21, 51)), foreign_advertisement,
     foreign_advertisement, foreign_advertisement},
    {"CARP of a cluster from a member", ipv4_frame(kIp, kVrrp, advert(0x21, 60)), foreign_advertisement,
     passed, passed, member_of(kPlain)},
    {"IPv4 that is cut", cut(ipv4_frame(kIp), 33), ip_malformed, ip_malformed, ip_malformed},
    {"IPv4 that is cut behind a priority tag", cut(tagged(ipv4_frame(kIp), {0}), 37), ip_malformed,
     ip_malformed, ip_malformed},
    {"IPv4 of another version", spoiled(ipv4_frame(kIp), 14, 0x55), ip_malformed, ip_malformed, ip_malformed},
    {"IPv4 with a header too short", spoiled(ipv4_frame(kIp), 14, 0x44), ip_malformed, ip_malformed,
     ip_malformed},
};
NLB_GUARD_FIXTURES(Ipv4Frames, guest_transmit, kIpv4);

Frame chain(std::size_t headers, const Frame& last, uint8_t last_type) {
  Frame made = last;
  for (std::size_t i = 0; i < headers; ++i)
    made = joined({extension(i == 0 ? last_type : uint8_t{60}), made});
  return made;
}
Frame dhcpv6() {
  return udp(547, 546);
}
const Frame kLie = advertisement(kOtherIp6, link_layer(kTargetOption, kOwn));

// Options of 16 octets, of which a first fragment has eight.
const Frame kHalfOptions = joined({fragment_header(60, 0, true), Frame{58, 1, 1, 4, 0, 0, 0, 0}});

const GuardFixture kIpv6Frames[] = {
    {"TCP over IPv6", ipv6_frame(kIp6, kTcp, tcp(1, 2, kSyn)), passed, passed, passed, listed},
    {"TCP over IPv6 from an address that is not in the list", ipv6_frame(kFree6, kTcp, tcp(1, 2, kSyn)),
     ip_address, ip_address, ip_address, listed},
    {"TCP over IPv6 from a neighbours address", ipv6_frame(kOtherIp6, kTcp, tcp(1, 2, kSyn)),
     neighbour_address, neighbour_address, neighbour_address},
    {"TCP over IPv6 from the VIP", ipv6_frame(kWebVip6, kTcp, tcp(1, 2, kSyn)), foreign_vip, passed,
     foreign_vip},
    {"the link local address of the own MAC", ipv6_frame(kLocal6, kUdp, udp(1, 2)), passed, passed, passed,
     listed},
    {"another link local address", ipv6_frame(kStrange6, kUdp, udp(1, 2)), ip_address, ip_address, ip_address,
     listed},
    {"another link local address where every one may", ipv6_frame(kStrange6, kUdp, udp(1, 2)), passed, passed,
     passed,
     [](Arrangement& a) {
       listed(a);
       a.port.flags |= NLB_GUARD_PORT_ANY_LINK_LOCAL;
     }},
    {"a site local address where every link local one may", ipv6_frame(ip6("fec0::1"), kUdp, udp(1, 2)),
     ip_address, ip_address, ip_address,
     [](Arrangement& a) {
       listed(a);
       a.port.flags |= NLB_GUARD_PORT_ANY_LINK_LOCAL;
     }},
    {"another link local address where there is no list", ipv6_frame(kStrange6, kUdp, udp(1, 2)), passed,
     passed, passed},
    {"the link local address of another prefix",
     ipv6_frame(ip6("fe80:0:0:1:5054:ff:fe00:1"), kUdp, udp(1, 2)), ip_address, ip_address, ip_address,
     listed},
    {"from the unspecified address", ipv6_frame(kAny6, kUdp, udp(1, 2)), passed, passed, passed, listed},
    {"a neighbours IPv4 address in IPv6", ipv6_frame(ip6("::ffff:10.77.0.13"), kUdp, udp(1, 2)),
     neighbour_address, neighbour_address, neighbour_address},
    {"a DHCPv6 server", ipv6_frame(kLocal6, kUdp, dhcpv6()), dhcp_server, dhcp_server, dhcp_server,
     kDhcpGuard},
    {"a DHCPv6 server with another source port", ipv6_frame(kLocal6, kUdp, udp(1547, 546)), dhcp_server,
     dhcp_server, dhcp_server, kDhcpGuard},
    {"a DHCPv6 client", ipv6_frame(kLocal6, kUdp, udp(546, 547)), passed, passed, passed, kDhcpGuard},
    {"a DHCPv6 server that may", ipv6_frame(kLocal6, kUdp, dhcpv6()), passed, passed, passed},
    {"a DHCPv6 server behind eight headers", ipv6_frame(kLocal6, 60, chain(8, dhcpv6(), kUdp)), dhcp_server,
     dhcp_server, dhcp_server, kDhcpGuard},
    {"nine extension headers", ipv6_frame(kLocal6, 60, chain(9, dhcpv6(), kUdp)), header_chain, header_chain,
     header_chain},
    {"an extension header that is cut", cut(ipv6_frame(kLocal6, 60, extension(kUdp)), 56), header_chain,
     header_chain, header_chain},
    {"an extension header that leads beyond the frame",
     ipv6_frame(kLocal6, 60, spoiled(extension(58), 1, 200)), passed, passed, passed},
    {"a lying advertisement behind hop by hop options", ipv6_frame(kLocal6, 0, joined({extension(58), kLie})),
     neighbour_address, neighbour_address, neighbour_address},
    {"a lying advertisement behind a long routing header",
     ipv6_frame(kLocal6, 43, joined({extension(58, 5), kLie})), neighbour_address, neighbour_address,
     neighbour_address},
    {"a lying advertisement behind an authentication header",
     ipv6_frame(kLocal6, 51, joined({spoiled(cut(extension(58, 2), 20), 1, 3), kLie})), neighbour_address,
     neighbour_address, neighbour_address},
    {"a lying advertisement behind mobility", ipv6_frame(kLocal6, 135, joined({extension(58), kLie})),
     neighbour_address, neighbour_address, neighbour_address},
    {"encrypted payload", ipv6_frame(kLocal6, 50, Frame(40, 1)), passed, passed, passed},
    {"no next header", ipv6_frame(kLocal6, 59, {}), passed, passed, passed},
    {"a first fragment of TCP",
     ipv6_frame(kLocal6, 44, joined({fragment_header(kTcp, 0, true), Frame(40, 1)})), passed, passed, passed},
    {"a later fragment of anything", ipv6_frame(kLocal6, 44, joined({fragment_header(58, 5, true), kLie})),
     passed, passed, passed},
    {"a DHCPv6 servers first fragment",
     ipv6_frame(kLocal6, 44, joined({fragment_header(kUdp, 0, true), dhcpv6()})), dhcp_server, dhcp_server,
     dhcp_server, kDhcpGuard},
    {"a first fragment that hides its ports", ipv6_frame(kLocal6, 44, fragment_header(kUdp, 0, true)),
     header_chain, header_chain, header_chain, kDhcpGuard},
    {"a first fragment that hides its type", ipv6_frame(kLocal6, 44, fragment_header(58, 0, true)),
     header_chain, header_chain, header_chain},
    {"a first fragment that hides its chain", ipv6_frame(kLocal6, 44, fragment_header(60, 0, true)),
     header_chain, header_chain, header_chain},
    {"a first fragment whose options go on behind the packet",
     joined({ipv6_frame(kLocal6, 44, kHalfOptions), Frame(8, 0), Frame(8, 128)}), header_chain, header_chain,
     header_chain},
    {"a first fragment with another header behind the packet",
     joined({ipv6_frame(kLocal6, 44, spoiled(kHalfOptions, 8, 60)), Frame(8, 0), extension(kTcp)}),
     header_chain, header_chain, header_chain},
    {"a first fragment whose type stands behind the packet",
     joined({ipv6_frame(kLocal6, 44, fragment_header(58, 0, true)), Frame(8, 128)}), header_chain,
     header_chain, header_chain},
    {"a first fragment whose ports stand behind the packet",
     joined({ipv6_frame(kLocal6, 44, fragment_header(kUdp, 0, true)), udp(1, 2)}), header_chain, header_chain,
     header_chain, kDhcpGuard},
    {"a whole first fragment with something behind the packet",
     joined({ipv6_frame(kLocal6, 44, joined({fragment_header(kUdp, 0, true), udp(1, 2)})), Frame(8, 1)}),
     passed, passed, passed, kDhcpGuard},
    {"VRRP over IPv6 from no member", ipv6_frame(kLocal6, kVrrp, advert(0x31, 51)), foreign_advertisement,
     foreign_advertisement, foreign_advertisement},
    {"VRRP over IPv6 from a member", ipv6_frame(kLocal6, kVrrp, advert(0x31, 51)), foreign_advertisement,
     passed, passed, member_of(kRouter)},
    {"VRRP over IPv6 of a number that is a clusters in IPv6 only",
     ipv6_frame(kLocal6, kVrrp, advert(0x31, 70)), foreign_advertisement, foreign_advertisement,
     foreign_advertisement},
    {"CARP over IPv6 from no member", ipv6_frame(kLocal6, kVrrp, advert(0x21, 60)), foreign_advertisement,
     foreign_advertisement, foreign_advertisement},
    {"an IPv6 packet that is cut", cut(ipv6_frame(kLocal6, kUdp, udp(1, 2)), 53), ip_malformed, ip_malformed,
     ip_malformed},
    {"an IPv6 packet that is cut behind a priority tag",
     cut(tagged(ipv6_frame(kLocal6, kUdp, udp(1, 2)), {0}), 57), ip_malformed, ip_malformed, ip_malformed},
    {"an IPv6 packet of another version", spoiled(ipv6_frame(kLocal6, kUdp, udp(1, 2)), 14, 0x40),
     ip_malformed, ip_malformed, ip_malformed},
};
NLB_GUARD_FIXTURES(Ipv6Frames, guest_transmit, kIpv6Frames);

}  // namespace
}  // namespace nlb::test
