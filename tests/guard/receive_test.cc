// SPDX-License-Identifier: Apache-2.0
// What a guest gets, and both directions of the uplink.
#include "fixtures.hh"

namespace nlb::test {
namespace {

using namespace why;

Frame to(const MacAddress& destination, uint16_t type = 0x1234, const MacAddress& from = kGateway) {
  return Ethernet{destination, from}.wrap(type, Frame(46, 0));
}

const GuardFixture kReceived[] = {
    {"to the own MAC", to(kOwn), passed, passed, passed},
    {"to the own MAC in another VLAN", tagged(to(kOwn), {5}), passed, passed, passed},
    {"to everybody", to(kAll), passed, passed, passed},
    {"to a multicast group", to(mac("01:00:5e:00:00:fb")), passed, passed, passed},
    {"to a neighbour", to(kOther), not_for_port, not_for_port, not_for_port},
    {"to a neighbour in another VLAN", tagged(to(kOther), {5}), not_for_port, not_for_port, not_for_port},
    {"to a MAC that is nobodys", to(kStrange), not_for_port, not_for_port, passed},
    {"to zero where the own MAC is not known", to(kNone), not_for_port, not_for_port, passed,
     [](Arrangement& a) { std::fill_n(a.port.mac, 6, uint8_t{0}); }},
    {"to the cluster MAC", to(kWebMac), not_for_port, passed, not_for_port},
    {"to the cluster MAC of a member under on", to(kWebMac), not_for_port, passed, passed, member_of(kWeb)},
    {"to the cluster MAC in another VLAN", tagged(to(kWebMac), {5}), not_for_port, not_for_port, passed},
    {"to the own masked MAC", to(kMasked1), not_for_port, passed, not_for_port},
    {"to another hosts masked MAC", to(kMasked2), not_for_port, not_for_port, not_for_port},
    {"to another hosts masked MAC of a member under on", to(kMasked3), not_for_port, not_for_port,
     not_for_port, member_of(kWeb)},
    {"to the virtual MAC", to(kVirtual4), not_for_port, not_for_port, not_for_port},
    {"to the virtual MAC of a member", to(kVirtual4), not_for_port, passed, passed, member_of(kRouter)},
    {"to a MAC of the list", to(kNested2), not_for_port, passed, passed, member_of(kNested)},
    {"to the cluster MAC of a cluster that nobody declared", to(kRogue), not_for_port, not_for_port, passed},
    {"to the multicast MAC of a cluster that nobody declared", to(kRogueGroup), passed, passed, passed},
    {"to the multicast MAC of a cluster", to(kShopMac), not_for_port, not_for_port, not_for_port},
    {"to the multicast MAC of a cluster in another VLAN", tagged(to(kShopMac), {5}), passed, passed, passed},
    {"to the multicast MAC of a member", to(kShopMac), not_for_port, passed, passed, member_of(kShop)},
    {"to the IGMP group of a cluster", to(kMailMac), not_for_port, not_for_port, not_for_port},
    {"a heartbeat to the clusters group", to(kWebGroup, 0x88b5), not_for_port, passed, not_for_port},
    {"a heartbeat to another clusters group", to(kMailGroup, 0x88b5), not_for_port, not_for_port,
     not_for_port},
    {"a heartbeat to everybody", to(kAll, 0x88b5), passed, passed, passed},
    {"a heartbeat to the own MAC", to(kOwn, 0x88b5), passed, passed, passed},
    {"a policy announcement", to(mac("01:80:c2:00:00:0e"), NLB_ETHERTYPE_POLICY), passed, passed, passed},
    {"a policy announcement to the own MAC", to(kOwn, NLB_ETHERTYPE_POLICY), forged_announcement,
     forged_announcement, forged_announcement},
    {"a policy announcement to everybody", to(kAll, NLB_ETHERTYPE_POLICY), forged_announcement,
     forged_announcement, forged_announcement},
    {"spanning tree of the bridge", to(mac("01:80:c2:00:00:00")), passed, passed, passed},
    {"LLDP of the bridge", to(mac("01:80:c2:00:00:0e"), 0x88cc), passed, passed, passed},
    {"two tags to the own MAC", tagged(to(kOwn), {5, 6}), passed, passed, passed},
    {"two tags to a neighbour", tagged(to(kOther), {5, 6}), not_for_port, not_for_port, not_for_port},
    {"a frame that ends within its tag", cut(tagged(to(kOwn), {5}), 16), short_frame, short_frame,
     short_frame},
};
NLB_GUARD_FIXTURES(Received, guest_receive, kReceived);

const GuardFixture kToUplink[] = {
    {"to a MAC that is nobodys", to(kStrange), passed, passed, passed},
    {"to the cluster MAC", to(kWebMac), passed, passed, passed},
    {"to a guarded port", to(kOwn), passed, passed, passed},
    {"a frame that ends within its tag", cut(tagged(to(kOwn), {5}), 16), passed, passed, passed},
};
NLB_GUARD_FIXTURES(ToUplink, uplink_receive, kToUplink);

Frame reply_from(const MacAddress& mac, uint32_t address) {
  return arp_frame({kReply, mac, address, kNone, kFree}, kGateway);
}
Frame told(const IpAddress& target, const MacAddress& mac) {
  return nd_frame(kStrange6, advertisement(target, link_layer(kTargetOption, mac)), kGateway);
}
Frame from(const MacAddress& source) {
  return to(kAll, 0x1234, source);
}

const GuardFixture kFromUplink[] = {
    {"a MAC that is elsewhere", from(kGateway), passed, passed, passed},
    {"the MAC of a guarded port", from(kOwn), neighbour_mac, neighbour_mac, neighbour_mac},
    {"the MAC of a guarded port in another VLAN", tagged(from(kOwn), {5}), neighbour_mac, neighbour_mac,
     neighbour_mac},
    {"the MAC of a guest that runs elsewhere", from(kAbsent), passed, passed, passed},
    {"ARP for the address of a guest that runs elsewhere", reply_from(kGateway, kAbsentIp), passed, passed,
     passed},
    {"the masked MAC of a host on this machine", from(kMasked1), duplicate_host_id, duplicate_host_id,
     duplicate_host_id},
    {"the masked MAC of a host elsewhere", from(kMasked3), passed, passed, passed},
    {"the cluster MAC", from(kWebMac), cluster_source, cluster_source, cluster_source},
    {"the cluster MAC of a cluster that nobody declared", from(kRogue), passed, passed, passed},
    {"the virtual MAC, whose master is elsewhere", from(kVirtual4), passed, passed, passed},
    {"a source of zero", from(kNone), source_zero, source_zero, source_zero},
    {"a multicast source", from(kWebGroup), source_multicast, source_multicast, source_multicast},
    {"a policy announcement", to(mac("01:80:c2:00:00:0e"), NLB_ETHERTYPE_POLICY), forged_announcement,
     forged_announcement, forged_announcement},
    {"spanning tree", to(mac("01:80:c2:00:00:00")), passed, passed, passed},
    {"a heartbeat of a host elsewhere", to(kWebGroup, 0x88b5, kMasked3), passed, passed, passed},
    {"two tags", tagged(from(kGateway), {5, 6}), passed, passed, passed},
    {"ARP behind two VLANs", tagged(reply_from(kGateway, kOtherIp), {5, 6}), passed, passed, passed},
    {"ARP that misplaces a guarded address behind two priorities",
     tagged(reply_from(kGateway, kOtherIp), {0, 0xe000}), neighbour_address, neighbour_address,
     neighbour_address},
    {"ARP that misplaces the VIP of a VLAN behind a priority", tagged(reply_from(kGateway, kFarVip), {0, 7}),
     vip_mac, vip_mac, vip_mac},
    {"ARP that misplaces the VIP of a VLAN with a priority in it",
     tagged(reply_from(kGateway, kFarVip), {7, 0}), vip_mac, vip_mac, vip_mac},
    {"truthful ARP behind two priorities", tagged(reply_from(kOther, kOtherIp), {0, 0}), passed, passed,
     passed},
    {"three priorities", tagged(reply_from(kGateway, kGatewayIp), {0, 0, 0}), double_tagged, double_tagged,
     double_tagged},
    {"two VLANs behind a priority", tagged(from(kGateway), {0, 5, 6}), double_tagged, double_tagged,
     double_tagged},
    {"three VLANs", tagged(from(kGateway), {5, 6, 7}), passed, passed, passed},
    {"a frame that ends within its second tag", cut(tagged(from(kGateway), {0, 0}), 21), passed, passed,
     passed},
    {"two tags and the MAC of a guarded port", tagged(from(kOther), {5, 6}), neighbour_mac, neighbour_mac,
     neighbour_mac},
    {"ARP for an address that is nobodys", reply_from(kGateway, kGatewayIp), passed, passed, passed},
    {"ARP that misplaces a guarded address", reply_from(kGateway, kOtherIp), neighbour_address,
     neighbour_address, neighbour_address},
    {"ARP that places a guarded address", reply_from(kOther, kOtherIp), passed, passed, passed},
    {"ARP that places a members address at its masked MAC", reply_from(kMasked2, kIp2), passed, passed,
     passed},
    {"ARP that misplaces a guarded address at zero", reply_from(kNone, kOtherIp), neighbour_address,
     neighbour_address, neighbour_address},
    {"ARP of a host elsewhere for the VIP", reply_from(kWebMac, kWebVip), passed, passed, passed},
    {"ARP that misplaces the VIP", reply_from(kGateway, kWebVip), vip_mac, vip_mac, vip_mac},
    {"ARP that misplaces the VIP at a masked MAC", reply_from(kMasked3, kWebVip), vip_mac, vip_mac, vip_mac},
    {"ARP for a VIP whose members use their own MACs", reply_from(kStrange, kPlainVip), passed, passed,
     passed},
    {"ARP that places such a VIP at zero", reply_from(kNone, kPlainVip), vip_mac, vip_mac, vip_mac},
    {"ARP that places such a VIP at no member", reply_from(kOther, kPlainVip), vip_mac, vip_mac, vip_mac},
    {"ARP that places such a VIP at a guarded member", reply_from(kOwn, kPlainVip), vip_mac, passed, passed,
     member_of(kPlain)},
    {"ARP for the VIP of a list", reply_from(kNested1, kNestedVip), passed, passed, passed},
    {"ARP that misplaces the VIP of a list", reply_from(kStrange, kNestedVip), vip_mac, vip_mac, vip_mac},
    {"a reply to a guarded port", arp_frame({kReply, kGateway, kGatewayIp, kOther, kOtherIp}, kGateway),
     passed, passed, passed},
    {"a reply to a member whose dedicated address is at the cluster MAC",
     arp_frame({kReply, kGateway, kGatewayIp, kWebMac, kWindowsIp}, kGateway), passed, passed, passed},
    {"a reply to such a member at another clusters MAC",
     arp_frame({kReply, kGateway, kGatewayIp, kRogue, kWindowsIp}, kGateway), neighbour_address,
     neighbour_address, neighbour_address},
    {"a reply that places an address at the cluster MAC that is not there",
     arp_frame({kReply, kGateway, kGatewayIp, kWebMac, kIp2}, kGateway), neighbour_address, neighbour_address,
     neighbour_address},
    {"a reply that misplaces its target",
     arp_frame({kReply, kGateway, kGatewayIp, kStrange, kOtherIp}, kGateway), neighbour_address,
     neighbour_address, neighbour_address},
    {"a probe for a guarded address", arp_frame({kRequest, kGateway, 0, kNone, kOtherIp}, kGateway), passed,
     passed, passed},
    {"ARP for another hardware", spoiled(reply_from(kGateway, kOtherIp), 15, 7), passed, passed, passed},
    {"ARP for IEEE 802, which Linux reads as Ethernet", spoiled(reply_from(kGateway, kOtherIp), 15, 6),
     neighbour_address, neighbour_address, neighbour_address},
    {"reverse ARP", Ethernet{kAll, kGateway}.wrap(0x8035, Arp{4, kGateway, 0, kOther, kFree}.bytes()), passed,
     passed, passed},
    {"IPv4 from anywhere", ipv4_frame(kFree, 6, tcp(1, 2, kAck), kGateway), passed, passed, passed},
    {"a DHCP server", ipv4_frame(kGatewayIp, 17, udp(67, 68), kGateway), passed, passed, passed},
    {"an advertisement of an address that is nobodys", told(kFree6, kGateway), passed, passed, passed},
    {"an advertisement that misplaces a guarded address", told(kOtherIp6, kGateway), neighbour_address,
     neighbour_address, neighbour_address},
    {"an advertisement that misplaces the VIP", told(kWebVip6, kGateway), vip_mac, vip_mac, vip_mac},
    {"an advertisement of the VIP at the cluster MAC", told(kWebVip6, kWebMac), passed, passed, passed},
    {"a solicitation that misplaces a guarded address",
     nd_frame(kOtherIp6, solicitation(kFree6, link_layer(kSourceOption, kGateway)), kGateway),
     neighbour_address, neighbour_address, neighbour_address},
    {"a router advertisement",
     nd_frame(kStrange6, router_announcement(link_layer(kSourceOption, kGateway)), kGateway), passed, passed,
     passed},
    {"a router advertisement with as many options as an Ethernet frame holds",
     nd_frame(kStrange6, router_announcement(joined({nonces(179), link_layer(kSourceOption, kGateway)})),
              kGateway),
     passed, passed, passed},
    {"a lie behind as many options",
     nd_frame(kFree6, advertisement(kOtherIp6, joined({nonces(179), link_layer(kTargetOption, kGateway)})),
              kGateway),
     neighbour_address, neighbour_address, neighbour_address},
    {"more options than that",
     nd_frame(kStrange6, router_announcement(nonces(NLB_MAX_ND_OPTIONS + 1)), kGateway), nd_malformed,
     nd_malformed, nd_malformed},
    {"discovery in a fragment",
     ipv6_frame(kStrange6, 44, joined({fragment_header(58, 0, true), advertisement(kFree6, {})}), kGateway),
     nd_fragment, nd_fragment, nd_fragment},
    {"an IPv6 packet that is cut", cut(told(kFree6, kGateway), 50), passed, passed, passed},
    {"ARP for the VIP in another VLAN", tagged(reply_from(kGateway, kWebVip), {5}), passed, passed, passed},
};
NLB_GUARD_FIXTURES(FromUplink, uplink_transmit, kFromUplink);

}  // namespace
}  // namespace nlb::test
