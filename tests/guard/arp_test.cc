// SPDX-License-Identifier: Apache-2.0
// ARP and reverse ARP from a guest: which pairs of address and MAC it may tell.
#include "fixtures.hh"

namespace nlb::test {
namespace {

using namespace why;

Arp request(const MacAddress& mac, uint32_t address, uint32_t asked = kFree) {
  return {kRequest, mac, address, kNone, asked};
}
Arp reply(const MacAddress& mac, uint32_t address) {
  return {kReply, mac, address, kGateway, kGatewayIp};
}
Frame from_own(const Arp& arp) {
  return arp_frame(arp, kOwn);
}
Frame from_masked(const Arp& arp) {
  return arp_frame(arp, kMasked1);
}

const GuardFixture kArp[] = {
    {"a request", from_own(request(kOwn, kIp)), passed, passed, passed},
    {"a request from an address in the list", from_own(request(kOwn, kIp)), passed, passed, passed, listed},
    {"a request from an address that is not in the list", from_own(request(kOwn, kFree, kGatewayIp)),
     arp_address, arp_address, arp_address, listed},
    {"a reply", from_own(reply(kOwn, kIp)), passed, passed, passed},
    {"a reply for an address that is not in the list", from_own(reply(kOwn, kGatewayIp)), arp_address,
     arp_address, arp_address, listed},
    {"a reply for an address that is nobodys", from_own(reply(kOwn, kFree)), passed, passed, passed},
    {"a reply with a neighbours MAC", from_own(reply(kOther, kOtherIp)), neighbour_mac, neighbour_mac,
     neighbour_mac},
    {"a reply with a MAC that is nobodys", from_own(reply(kStrange, kIp)), arp_mac, arp_mac, passed},
    {"a reply with a MAC of zero", from_own(reply(kNone, kIp)), arp_mac, arp_mac, arp_mac},
    {"a reply with the broadcast address as MAC", from_own(reply(kAll, kIp)), arp_mac, arp_mac, arp_mac},
    {"a reply for a neighbours address", from_own(reply(kOwn, kOtherIp)), neighbour_address,
     neighbour_address, neighbour_address},
    {"a reply for a fellow members address", from_own(reply(kOwn, kIp2)), neighbour_address,
     neighbour_address, neighbour_address},
    {"a request from a neighbours address", from_own(request(kOwn, kOtherIp)), neighbour_address,
     neighbour_address, neighbour_address},
    {"a neighbours address in another VLAN", tagged(from_own(reply(kOwn, kOtherIp)), {5}), passed, passed,
     passed},
    {"a probe", from_own(request(kOwn, 0)), passed, passed, passed},
    {"a probe where there is a list", from_own(request(kOwn, 0)), passed, passed, passed, listed},
    {"a probe for a neighbours address", from_own(request(kOwn, 0, kOtherIp)), passed, passed, passed},
    {"a probe for a VIP", from_own(request(kOwn, 0, kWebVip)), passed, passed, passed},
    {"a probe with the cluster MAC", from_own(request(kWebMac, 0)), foreign_cluster, passed, foreign_cluster},
    {"a probe with the masked MAC", from_masked(request(kMasked1, 0)), foreign_cluster, passed,
     foreign_cluster},
    {"a probe with a neighbours MAC", from_own(request(kOther, 0)), neighbour_mac, neighbour_mac,
     neighbour_mac},
    {"a probe with a MAC that is nobodys", from_own(request(kStrange, 0)), arp_mac, arp_mac, passed},
    {"a reply that binds the VIP to the cluster MAC", from_own(reply(kWebMac, kWebVip)), foreign_cluster,
     passed, foreign_cluster},
    {"the same from the masked MAC", from_masked(reply(kWebMac, kWebVip)), foreign_cluster, passed,
     foreign_cluster},
    {"the same where there is a list", from_masked(reply(kWebMac, kWebVip)), foreign_cluster, passed,
     foreign_cluster, listed},
    {"the same of a member under on", from_masked(reply(kWebMac, kWebVip)), foreign_cluster, passed, passed,
     member_of(kWeb)},
    {"a reply that binds the VIP to the own MAC", from_own(reply(kOwn, kWebVip)), foreign_vip, vip_mac,
     foreign_vip},
    {"a reply that binds the VIP to the masked MAC", from_masked(reply(kMasked1, kWebVip)), foreign_cluster,
     vip_mac, foreign_cluster},
    {"a reply of a member under on that binds the VIP to any MAC", from_own(reply(kStrange, kWebVip)),
     arp_mac, arp_mac, vip_mac, member_of(kWeb)},
    {"a request from the VIP", from_own(request(kOwn, kWebVip)), foreign_vip, vip_mac, foreign_vip},
    {"a gratuitous ARP for the VIP with the own MAC", from_own(request(kOwn, kWebVip, kWebVip)), foreign_vip,
     vip_mac, foreign_vip},
    {"a gratuitous ARP for the VIP with the cluster MAC", from_own(request(kWebMac, kWebVip, kWebVip)),
     foreign_cluster, passed, foreign_cluster},
    {"a reply that binds another address to the cluster MAC", from_own(reply(kWebMac, kFree)),
     foreign_cluster, vip_mac, foreign_cluster},
    {"a reply that binds the own address to the cluster MAC", from_masked(reply(kWebMac, kIp)),
     foreign_cluster, vip_mac, foreign_cluster, listed},
    {"the same where Windows may", from_masked(reply(kWebMac, kIp)), foreign_cluster, passed, foreign_cluster,
     [](Arrangement& a) {
       listed(a);
       a.port.flags |= NLB_GUARD_PORT_CLUSTER_DEDICATED;
     }},
    {"a reply to a neighbour whose dedicated address is at the cluster MAC",
     from_own({kReply, kOwn, kIp, kWebMac, kWindowsIp}), passed, passed, passed},
    {"a reply that binds the own address to the masked MAC", from_masked(reply(kMasked1, kIp)),
     foreign_cluster, passed, foreign_cluster, listed},
    {"a reply that binds an address to another hosts masked MAC", from_own(reply(kMasked2, kIp)),
     foreign_cluster, duplicate_host_id, foreign_cluster},
    {"a reply with the cluster MAC of a cluster that nobody declared", from_own(reply(kRogue, kFree)),
     rogue_cluster, rogue_cluster, passed},
    {"a reply with the multicast MAC of a cluster that nobody declared", from_own(reply(kRogueGroup, kFree)),
     rogue_cluster, rogue_cluster, passed},
    {"a reply that binds the VIP to the cluster MAC of multicast mode", from_own(reply(kShopMac, kShopVip)),
     foreign_cluster, passed, passed, member_of(kShop)},
    {"a reply that binds the VIP to the cluster MAC of IGMP mode", from_own(reply(kMailMac, kMailVip)),
     foreign_cluster, passed, passed, member_of(kMail)},
    {"a reply that binds the VIP to the heartbeat group", from_own(reply(kMailGroup, kMailVip)),
     foreign_cluster, vip_mac, vip_mac, member_of(kMail)},
    {"a reply that binds the VIP to the own MAC in multicast mode", from_own(reply(kOwn, kShopVip)),
     foreign_vip, vip_mac, vip_mac, member_of(kShop)},
    {"the master binds the VIP to the virtual MAC", arp_frame(reply(kVirtual4, kRouterVip)), foreign_cluster,
     passed, passed, member_of(kRouter)},
    {"the master binds the VIP to the virtual MAC for IPv6", arp_frame(reply(kVirtual6, kRouterVip)),
     foreign_cluster, vip_mac, vip_mac, member_of(kRouter)},
    {"the master binds another address to the virtual MAC", from_own(reply(kVirtual4, kFree)),
     foreign_cluster, vip_mac, vip_mac, member_of(kRouter)},
    {"another clusters VIP", from_own(reply(kOwn, kRouterVip)), foreign_vip, foreign_vip, foreign_vip},
    {"the VIP at any MAC of the list", arp_frame(reply(kNested2, kNestedVip)), foreign_cluster, passed,
     passed, member_of(kNested)},
    {"the VIP at the own MAC beside the list", from_own(reply(kOwn, kNestedVip)), foreign_vip, vip_mac,
     vip_mac, member_of(kNested)},
    {"an own address at a MAC of the list", arp_frame(reply(kNested1, kIp)), foreign_cluster, passed, passed,
     [](Arrangement& a) {
       a.port.cluster = kNested;
       a.port.flags |= NLB_GUARD_PORT_CLUSTER_DEDICATED;
     }},
    {"the VIP at the own MAC where members use their own", from_own(reply(kOwn, kPlainVip)), foreign_vip,
     passed, passed, member_of(kPlain)},
    {"the VIP at the virtual MAC where members use their own", arp_frame(reply(kPlainMac, kPlainVip)),
     foreign_cluster, vip_mac, vip_mac, member_of(kPlain)},
    {"the VIP of another VLAN", tagged(from_own(reply(kFarMac, kFarVip)), {7}), foreign_cluster,
     foreign_cluster, foreign_cluster},
    {"the VIP of another VLAN from a member", tagged(from_own(reply(kFarMac, kFarVip)), {7}), foreign_cluster,
     passed, passed, member_of(kFar)},
    {"the VIP of another VLAN in this one", from_own(reply(kFarMac, kFarVip)), rogue_cluster, rogue_cluster,
     passed, member_of(kFar)},
    {"a gratuitous ARP", from_own(request(kOwn, kIp, kIp)), passed, passed, passed, listed},
    {"a gratuitous ARP for an address that is not in the list", from_own(request(kOwn, kFree, kFree)),
     arp_address, arp_address, arp_address, listed},
    {"a gratuitous reply that repeats the own MAC", from_own({kReply, kOwn, kIp, kOwn, kIp}), passed, passed,
     passed, listed},
    {"a gratuitous reply to everybody", from_own({kReply, kOwn, kIp, kAll, kIp}), passed, passed, passed,
     listed},
    {"a gratuitous ARP with a neighbours MAC as target", from_own({kRequest, kOwn, kIp, kOther, kIp}),
     neighbour_mac, neighbour_mac, neighbour_mac},
    {"a gratuitous ARP with a strange MAC as target", from_own({kRequest, kOwn, kIp, kStrange, kIp}), arp_mac,
     arp_mac, passed},
    {"a reply to a neighbour", from_own({kReply, kOwn, kIp, kOther, kOtherIp}), passed, passed, passed},
    {"a reply that misplaces its target", from_own({kReply, kOwn, kIp, kOwn, kOtherIp}), neighbour_address,
     neighbour_address, neighbour_address},
    {"a reply to a fellow members masked MAC", from_own({kReply, kOwn, kIp, kMasked2, kIp2}), passed, passed,
     passed},
    {"a reply to the VIP at the cluster MAC", from_own({kReply, kOwn, kIp, kWebMac, kWebVip}), passed, passed,
     passed},
    {"a reply that misplaces the VIP", from_own({kReply, kOwn, kIp, kOwn, kWebVip}), vip_mac, vip_mac,
     vip_mac},
    {"a reply that misplaces the VIP at zero", from_own({kReply, kOwn, kIp, kNone, kWebVip}), passed, passed,
     passed},
    {"a reply to a VIP whose members use their own MACs", from_own({kReply, kOwn, kIp, kStrange, kPlainVip}),
     passed, passed, passed},
    {"a request whose target MAC lies", from_own({kRequest, kOwn, kIp, kOwn, kOtherIp}), passed, passed,
     passed},
    {"an unknown operation with a neighbours address", from_own({9, kOwn, kOtherIp, kNone, kFree}),
     neighbour_address, neighbour_address, neighbour_address},
    {"ARP for another hardware", spoiled(from_own(request(kOwn, kIp)), 15, 6), arp_malformed, arp_malformed,
     arp_malformed},
    {"ARP for another protocol", spoiled(from_own(request(kOwn, kIp)), 16, 9), arp_malformed, arp_malformed,
     arp_malformed},
    {"ARP with another hardware length", spoiled(from_own(request(kOwn, kIp)), 18, 8), arp_malformed,
     arp_malformed, arp_malformed},
    {"ARP that is cut", cut(from_own(request(kOwn, kIp)), 41), arp_malformed, arp_malformed, arp_malformed},
    {"ARP that is padded", cut(from_own(request(kOwn, kIp)), 60), passed, passed, passed},
    {"a true ARP from a spoofed source", arp_frame(request(kOwn, kIp), kStrange), source_spoofed,
     source_spoofed, passed},
};
NLB_GUARD_FIXTURES(ArpFrames, guest_transmit, kArp);

Frame rarp_frame(const MacAddress& sender, const MacAddress& target, uint16_t operation = 3) {
  return Ethernet{kAll, kOwn}.wrap(0x8035, Arp{operation, sender, 0, target, 0}.bytes());
}

const GuardFixture kRarp[] = {
    {"reverse ARP about the own MAC", rarp_frame(kOwn, kOwn), passed, passed, passed},
    {"reverse ARP about a neighbours MAC", rarp_frame(kOwn, kOther), rarp, rarp, rarp},
    {"reverse ARP in a neighbours name", rarp_frame(kOther, kOwn), rarp, rarp, rarp},
    {"reverse ARP about a MAC that is nobodys", rarp_frame(kStrange, kStrange), rarp, rarp, passed},
    {"reverse ARP about the cluster MAC", rarp_frame(kOwn, kWebMac), rarp, rarp, rarp, member_of(kWeb)},
    {"reverse ARP about the masked MAC", rarp_frame(kMasked1, kMasked1), rarp, rarp, rarp},
    {"reverse ARP about everybody", rarp_frame(kOwn, kAll), rarp, rarp, rarp},
    {"a reply of a reverse ARP server", rarp_frame(kOwn, kOther, 4), rarp, rarp, rarp},
    {"reverse ARP that is cut", cut(rarp_frame(kOwn, kOwn), 40), arp_malformed, arp_malformed, arp_malformed},
};
NLB_GUARD_FIXTURES(RarpFrames, guest_transmit, kRarp);

}  // namespace
}  // namespace nlb::test
