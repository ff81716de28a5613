// SPDX-License-Identifier: Apache-2.0
// What a guest sends, by its Ethernet header: source, destination, tags, length, 802.3.
#include "fixtures.hh"

namespace nlb::test {
namespace {

using namespace why;

Frame plain(const MacAddress& from, const MacAddress& to = kGateway) {
  return Ethernet{to, from}.wrap(0x1234, Frame(46, 0));
}
Frame in_ip(const MacAddress& to, uint32_t from = kIp, uint8_t protocol = 253) {
  return Ethernet{to, kOwn}.wrap(0x0800, Ipv4{from, ip("239.255.0.130")}.wrap(protocol, Frame(46, 0)));
}
Frame with_type(uint16_t type, const MacAddress& to, const MacAddress& from = kOwn) {
  return Ethernet{to, from}.wrap(type, Frame(46, 0));
}
// 802.3: length, then LLC.
Frame llc(const MacAddress& to, const Frame& data, const MacAddress& from = kOwn) {
  return Ethernet{to, from}.wrap(static_cast<uint16_t>(data.size()), data);
}
Frame snap(uint16_t type, const Frame& payload, uint8_t organization = 0, const MacAddress& from = kOwn) {
  Frame data{0xaa, 0xaa, 3, 0, 0, organization};
  put16(data, type);
  return llc(kAll, joined({data, payload}), from);
}
const Frame kLyingArp = Arp{kReply, kOther, kOtherIp, kNone, kFree}.bytes();

const GuardFixture kSource[] = {
    {"the adapters own MAC", plain(kOwn), passed, passed, passed},
    {"a MAC that is nobodys", plain(kStrange), source_spoofed, source_spoofed, passed},
    {"another guarded ports MAC", plain(kOther), neighbour_mac, neighbour_mac, neighbour_mac},
    {"the MAC of a guest that runs elsewhere", plain(kAbsent), neighbour_mac, neighbour_mac, neighbour_mac},
    {"the MAC of a fellow member", plain(kWeb2), neighbour_mac, neighbour_mac, neighbour_mac},
    {"the own masked MAC", plain(kMasked1), foreign_cluster, passed, foreign_cluster},
    {"the own masked MAC of a member under on", plain(kMasked1), foreign_cluster, passed, passed,
     member_of(kWeb)},
    {"the masked MAC of another host on this machine", plain(kMasked2), foreign_cluster, duplicate_host_id,
     foreign_cluster},
    {"the masked MAC of another host elsewhere", plain(kMasked3), foreign_cluster, duplicate_host_id,
     foreign_cluster},
    {"the masked MAC of another host from a member under on", plain(kMasked3), foreign_cluster,
     duplicate_host_id, duplicate_host_id, member_of(kWeb)},
    {"the cluster MAC", plain(kWebMac), foreign_cluster, cluster_source, foreign_cluster},
    {"the cluster MAC from a member under on", plain(kWebMac), foreign_cluster, cluster_source,
     cluster_source, member_of(kWeb)},
    {"the cluster MAC of a cluster in another VLAN", plain(kFarMac), rogue_cluster, rogue_cluster,
     rogue_cluster},
    {"the masked MAC of a cluster in another VLAN", plain(kFarMasked1), source_spoofed, source_spoofed,
     passed},
    {"the cluster MAC of a cluster that nobody declared", plain(kRogue), rogue_cluster, rogue_cluster,
     rogue_cluster},
    {"the virtual MAC of VRRP from no member", plain(kVirtual4), foreign_cluster, foreign_cluster,
     foreign_cluster},
    {"the virtual MAC of VRRP from a member", plain(kVirtual4), foreign_cluster, passed, passed,
     member_of(kRouter)},
    {"the virtual MAC of VRRP for IPv6 from a member", plain(kVirtual6), foreign_cluster, passed, passed,
     member_of(kRouter)},
    {"a MAC of the list from a member", plain(kNested2), foreign_cluster, passed, passed, member_of(kNested)},
    {"a MAC beside the list", plain(mac("52:54:00:aa:00:03")), source_spoofed, source_spoofed, passed,
     member_of(kNested)},
    {"the masked MAC of a cluster from a member of another", plain(kMasked1), foreign_cluster,
     foreign_cluster, foreign_cluster, member_of(kRouter)},
    {"the cluster MAC of multicast mode", plain(kShopMac), source_multicast, source_multicast,
     source_multicast, member_of(kShop)},
    {"a multicast source", plain(mac("01:00:5e:00:00:01")), source_multicast, source_multicast,
     source_multicast},
    {"the broadcast address as source", plain(kAll), source_multicast, source_multicast, source_multicast},
    {"a source of zero", plain(kNone), source_zero, source_zero, source_zero},
    {"a source of zero where the own MAC is not known", plain(kNone), source_zero, source_zero, source_zero,
     [](Arrangement& a) { std::fill_n(a.port.mac, 6, uint8_t{0}); }},
    {"a second MAC where two are allowed", plain(kStrange), source_spoofed, source_spoofed, passed,
     [](Arrangement& a) { a.port.max_macs = 2; }},
    {"a second MAC where one is allowed", plain(kStrange), source_spoofed, source_spoofed, too_many_macs,
     [](Arrangement& a) { a.port.max_macs = 1; }},
    {"the own MAC where one is allowed", plain(kOwn), passed, passed, passed,
     [](Arrangement& a) { a.port.max_macs = 1; }},
    {"a MAC of the other bridge on it", plain(kStrange), neighbour_mac, neighbour_mac, neighbour_mac,
     on_other_bridge},
    {"a neighbours MAC on the other bridge", plain(kOther), source_spoofed, source_spoofed, passed,
     on_other_bridge},
    {"the own MAC in another VLAN", tagged(plain(kOwn), {5}), passed, passed, passed},
    {"a neighbours MAC in another VLAN", tagged(plain(kOther), {5}), neighbour_mac, neighbour_mac,
     neighbour_mac},
    {"the own masked MAC in another VLAN", tagged(plain(kMasked1), {5}), source_spoofed, source_spoofed,
     passed},
    {"the masked MAC in the clusters VLAN", tagged(plain(kFarMasked1), {7}), foreign_cluster, passed, passed,
     member_of(kFar)},
    {"the masked MAC in the clusters VLAN by the ports VLAN", plain(kFarMasked1), foreign_cluster, passed,
     passed,
     [](Arrangement& a) {
       a.port.cluster = kFar;
       a.port.vlan = 7;
     }},
    {"the masked MAC in the clusters VLAN with a priority tag", tagged(plain(kFarMasked1), {0xe000}),
     foreign_cluster, passed, passed,
     [](Arrangement& a) {
       a.port.cluster = kFar;
       a.port.vlan = 7;
     }},
};
NLB_GUARD_FIXTURES(Source, guest_transmit, kSource);

const GuardFixture kShape[] = {
    {"an Ethernet header and nothing else", cut(plain(kOwn), 14), passed, passed, passed},
    {"a frame of 15 octets", cut(plain(kOwn), 15), passed, passed, passed},
    {"a frame that ends within its tag", cut(tagged(plain(kOwn), {5}), 17), short_frame, short_frame,
     short_frame},
    {"a frame that ends with its tag", cut(tagged(plain(kOwn), {5}), 18), passed, passed, passed},
    {"a tag of a provider", tagged(plain(kOwn), {5}, 0x88a8), passed, passed, passed},
    {"a provider tag on a lying ARP reply", tagged(Ethernet{kAll, kOwn}.wrap(0x0806, kLyingArp), {0}, 0x88a8),
     neighbour_mac, neighbour_mac, neighbour_mac},
    {"two tags", tagged(plain(kOwn), {5, 6}), double_tagged, double_tagged, double_tagged},
    {"two tags, the outer one a priority", tagged(plain(kOwn), {0, 6}), double_tagged, double_tagged,
     double_tagged},
    {"two tags, the outer one a providers", tagged(tagged(plain(kOwn), {6}), {5}, 0x88a8), double_tagged,
     double_tagged, double_tagged},
    {"three tags", tagged(plain(kOwn), {5, 6, 7}), double_tagged, double_tagged, double_tagged},
    {"two tags from a MAC that is nobodys", tagged(plain(kStrange), {5, 6}), double_tagged, double_tagged,
     double_tagged},
    {"a jumbo frame", Ethernet{kGateway, kOwn}.wrap(0x1234, Frame(3000, 1)), passed, passed, passed},
    {"LLC", llc(kGateway, {0x42, 0x42, 3, 0, 0, 0}), passed, passed, passed},
    {"LLC with nothing in it", llc(kGateway, {}), passed, passed, passed},
    {"SNAP with Ciscos organization", snap(0x2000, Frame(20, 0), 0x0c), passed, passed, passed},
    {"a lying ARP reply in SNAP", snap(0x0806, kLyingArp), neighbour_mac, neighbour_mac, neighbour_mac},
    {"a lying ARP reply in SNAP of a bridge tunnel", snap(0x0806, kLyingArp, 0xf8), neighbour_mac,
     neighbour_mac, neighbour_mac},
    {"a truthful ARP request in SNAP", snap(0x0806, Arp{kRequest, kOwn, kIp, kNone, kFree}.bytes()), passed,
     passed, passed},
    {"IPv4 from a neighbours address in SNAP", snap(0x0800, Ipv4{kOtherIp, kFree}.wrap(17, udp(1, 2))),
     neighbour_address, neighbour_address, neighbour_address},
    {"a tag behind SNAP", snap(0x8100, Frame(20, 0)), double_tagged, double_tagged, double_tagged},
    {"a lying ARP reply behind SNAP behind a tag", tagged(snap(0x0806, kLyingArp), {0}), neighbour_mac,
     neighbour_mac, neighbour_mac},
    {"an unknown EtherType", with_type(0x9100, kGateway), passed, passed, passed},
};
NLB_GUARD_FIXTURES(Shape, guest_transmit, kShape);

const MacAddress kNearestBridge = mac("01:80:c2:00:00:0e");

const GuardFixture kDestination[] = {
    {"to everybody", plain(kOwn, kAll), passed, passed, passed},
    {"to a neighbour", plain(kOwn, kOther), passed, passed, passed},
    {"to the cluster MAC", plain(kOwn, kWebMac), passed, passed, passed},
    {"a policy announcement", with_type(NLB_ETHERTYPE_POLICY, kNearestBridge), forged_announcement,
     forged_announcement, forged_announcement},
    {"a policy announcement to a neighbour", with_type(NLB_ETHERTYPE_POLICY, kOther), forged_announcement,
     forged_announcement, forged_announcement},
    {"a policy announcement in SNAP", snap(NLB_ETHERTYPE_POLICY, Frame(40, 0)), forged_announcement,
     forged_announcement, forged_announcement},
    {"spanning tree", llc(mac("01:80:c2:00:00:00"), {0x42, 0x42, 3, 0, 0, 0, 0, 0, 0}), link_control,
     link_control, link_control},
    {"spanning tree with a tag", tagged(llc(mac("01:80:c2:00:00:00"), {0x42, 0x42, 3, 0, 0}), {5}),
     link_control, link_control, link_control},
    {"LACP", with_type(0x8809, mac("01:80:c2:00:00:02")), link_control, link_control, link_control},
    {"pause", with_type(0x8808, mac("01:80:c2:00:00:01")), link_control, link_control, link_control},
    {"802 1X", with_type(0x888e, mac("01:80:c2:00:00:03")), link_control, link_control, link_control},
    {"the last of the reserved addresses", with_type(0x1234, mac("01:80:c2:00:00:0f")), link_control,
     link_control, link_control},
    {"the first address that is not reserved", with_type(0x1234, mac("01:80:c2:00:00:10")), passed, passed,
     passed},
    {"spanning tree per VLAN", snap(0x010b, Frame(40, 0), 0x0c), passed, passed, passed},
    {"spanning tree per VLAN to its address",
     llc(mac("01:00:0c:cc:cc:cd"), {0xaa, 0xaa, 3, 0, 0, 0x0c, 1, 0x0b, 0, 0}), link_control, link_control,
     link_control},
    {"VTP", llc(mac("01:00:0c:cc:cc:cc"), {0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 3, 0, 0}), link_control,
     link_control, link_control},
    {"LLDP", with_type(0x88cc, kNearestBridge), passed, passed, passed},
    {"LLDP from a MAC that is nobodys", with_type(0x88cc, kNearestBridge, kStrange), source_spoofed,
     source_spoofed, passed},
    {"a heartbeat to the clusters group", with_type(0x88b5, kWebGroup), foreign_heartbeat, passed,
     foreign_heartbeat},
    {"a heartbeat to the cluster MAC", with_type(0x88b5, kWebMac), foreign_heartbeat, passed,
     foreign_heartbeat},
    {"a heartbeat to the clusters group from the masked MAC", with_type(0x88b5, kWebGroup, kMasked1),
     foreign_cluster, passed, foreign_cluster},
    {"a heartbeat of a member under on", with_type(0x88b5, kWebGroup), foreign_heartbeat, passed, passed,
     member_of(kWeb)},
    {"a heartbeat to another clusters group", with_type(0x88b5, kShopMac), foreign_heartbeat,
     foreign_heartbeat, foreign_heartbeat},
    {"a heartbeat to the group of a cluster that nobody declared", with_type(0x88b5, kRogueGroup), passed,
     passed, passed},
    {"a heartbeat to a hosts own MAC", with_type(0x88b5, kWeb2), passed, passed, passed},
    {"a heartbeat to everybody", with_type(0x88b5, kAll), passed, passed, passed},
    {"a heartbeat to the clusters group in another VLAN", tagged(with_type(0x88b5, kWebGroup), {5}), passed,
     passed, passed},
    {"a heartbeat of Windows NLB to the cluster MAC", with_type(0x886f, kWebMac), foreign_heartbeat, passed,
     foreign_heartbeat},
    {"a heartbeat of Windows NLB to everybody", with_type(0x886f, kAll), passed, passed, passed},
    {"a heartbeat in IP to the group of mode igmp", in_ip(kMailMac), foreign_heartbeat, foreign_heartbeat,
     foreign_heartbeat},
    {"a heartbeat of a member in IP to the group of mode igmp", in_ip(kMailMac), foreign_heartbeat, passed,
     passed, member_of(kMail)},
    {"a heartbeat of a member in IP without an address", in_ip(kMailMac, 0), foreign_heartbeat, passed,
     passed, member_of(kMail)},
    {"a heartbeat of a member in IP with its neighbours address", in_ip(kMailMac, kIp2), foreign_heartbeat,
     neighbour_address, neighbour_address, member_of(kMail)},
    {"a heartbeat in IPv6 to the clusters group",
     Ethernet{kWebGroup, kOwn}.wrap(0x86dd, ipv6(kIp6, kWebVip6, 253, Frame(46, 0))), foreign_heartbeat,
     passed, foreign_heartbeat},
    {"a datagram to the group of mode igmp", in_ip(kMailMac, kIp, 17), passed, passed, passed},
    {"a heartbeat in IP to a hosts own MAC", in_ip(kWeb2), passed, passed, passed},
    {"a heartbeat to a virtual MAC", with_type(0x88b5, kVirtual4), foreign_heartbeat, foreign_heartbeat,
     foreign_heartbeat},
};
NLB_GUARD_FIXTURES(Destination, guest_transmit, kDestination);

}  // namespace
}  // namespace nlb::test
