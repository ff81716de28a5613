// SPDX-License-Identifier: Apache-2.0
// Neighbour discovery from a guest: pairs of address and MAC in options, duplicate address detection,
// routers.
#include "fixtures.hh"

namespace nlb::test {
namespace {

using namespace why;

const auto kRouterGuard = flags(NLB_GUARD_PORT_ROUTER_GUARD);
Frame source(const MacAddress& mac) {
  return link_layer(kSourceOption, mac);
}
Frame target(const MacAddress& mac) {
  return link_layer(kTargetOption, mac);
}
Frame options(std::size_t count, const Frame& last) {
  Frame all;
  for (std::size_t i = 0; i < count; ++i) all = joined({all, Frame{14, 1, 1, 2, 3, 4, 5, 6}});  // nonce
  return joined({all, last});
}
// The IPv6 header says another length.
Frame says_length(Frame frame, uint8_t bytes) {
  frame[19] = bytes;
  return frame;
}

const GuardFixture kDiscovery[] = {
    {"a solicitation", nd_frame(kIp6, solicitation(kFree6, source(kOwn))), passed, passed, passed, listed},
    {"a solicitation from the link local address", nd_frame(kLocal6, solicitation(kFree6, source(kOwn))),
     passed, passed, passed, listed},
    {"a solicitation with a neighbours MAC", nd_frame(kIp6, solicitation(kFree6, source(kOther))),
     neighbour_mac, neighbour_mac, neighbour_mac},
    {"a solicitation with a strange MAC", nd_frame(kIp6, solicitation(kFree6, source(kStrange))), nd_mac,
     nd_mac, passed},
    {"a solicitation with a MAC of zero", nd_frame(kIp6, solicitation(kFree6, source(kNone))), nd_mac, nd_mac,
     nd_mac},
    {"a solicitation from a neighbours address", nd_frame(kOtherIp6, solicitation(kFree6, source(kOwn))),
     neighbour_address, neighbour_address, neighbour_address},
    {"a solicitation with the wrong option", nd_frame(kIp6, solicitation(kFree6, target(kOther))), passed,
     passed, passed},
    {"a solicitation with the masked MAC", nd_frame(kIp6, solicitation(kFree6, source(kMasked1)), kMasked1),
     foreign_cluster, passed, foreign_cluster},
    {"a solicitation with the cluster MAC", nd_frame(kIp6, solicitation(kFree6, source(kWebMac))),
     foreign_cluster, vip_mac, foreign_cluster},
    {"duplicate address detection", nd_frame(kAny6, solicitation(kIp6, {})), passed, passed, passed, listed},
    {"duplicate address detection of another address", nd_frame(kAny6, solicitation(kFree6, {})), nd_address,
     nd_address, nd_address, listed},
    {"duplicate address detection of a neighbours address", nd_frame(kAny6, solicitation(kOtherIp6, {})),
     neighbour_address, neighbour_address, neighbour_address},
    {"duplicate address detection of the VIP", nd_frame(kAny6, solicitation(kWebVip6, {})), foreign_vip,
     passed, foreign_vip},
    {"duplicate address detection with a nonce", nd_frame(kAny6, solicitation(kIp6, options(1, {}))), passed,
     passed, passed, listed},
    {"duplicate address detection with a MAC", nd_frame(kAny6, solicitation(kFree6, source(kOwn))),
     nd_malformed, nd_malformed, nd_malformed},
    {"an advertisement", nd_frame(kIp6, advertisement(kIp6, target(kOwn))), passed, passed, passed, listed},
    {"an advertisement without its MAC", nd_frame(kIp6, advertisement(kIp6, {})), passed, passed, passed,
     listed},
    {"an advertisement of an address that is not in the list",
     nd_frame(kIp6, advertisement(kFree6, target(kOwn))), nd_address, nd_address, nd_address, listed},
    {"an advertisement of an address that is not in the list without its MAC",
     nd_frame(kIp6, advertisement(kFree6, {})), nd_address, nd_address, nd_address, listed},
    {"an advertisement of the gateway", nd_frame(kLocal6, advertisement(ip6("fe80::1"), target(kOwn))),
     nd_address, nd_address, nd_address, listed},
    {"an advertisement of a neighbours address", nd_frame(kIp6, advertisement(kOtherIp6, target(kOwn))),
     neighbour_address, neighbour_address, neighbour_address},
    {"an advertisement of a neighbours address without its MAC", nd_frame(kIp6, advertisement(kOtherIp6, {})),
     neighbour_address, neighbour_address, neighbour_address},
    {"an advertisement with a neighbours MAC", nd_frame(kIp6, advertisement(kFree6, target(kOther))),
     neighbour_mac, neighbour_mac, neighbour_mac},
    {"an advertisement with a strange MAC", nd_frame(kIp6, advertisement(kFree6, target(kStrange))), nd_mac,
     nd_mac, passed},
    {"an advertisement with the multicast MAC of a cluster that nobody declared",
     nd_frame(kIp6, advertisement(kFree6, target(kRogueGroup))), rogue_cluster, rogue_cluster, passed},
    {"an advertisement that binds the VIP to the cluster MAC",
     nd_frame(kLocal6, advertisement(kWebVip6, target(kWebMac))), foreign_vip, passed, foreign_vip},
    {"the same from the masked MAC", nd_frame(kLocal6, advertisement(kWebVip6, target(kWebMac)), kMasked1),
     foreign_cluster, passed, foreign_cluster, listed},
    {"the same of a member under on", nd_frame(kLocal6, advertisement(kWebVip6, target(kWebMac))),
     foreign_vip, passed, passed, member_of(kWeb)},
    {"an advertisement that binds the VIP to the own MAC",
     nd_frame(kLocal6, advertisement(kWebVip6, target(kOwn))), foreign_vip, vip_mac, foreign_vip},
    {"an advertisement of the VIP without its MAC", nd_frame(kLocal6, advertisement(kWebVip6, {})),
     foreign_vip, passed, foreign_vip},
    {"an advertisement that binds the own address to the cluster MAC",
     nd_frame(kLocal6, advertisement(kIp6, target(kWebMac))), foreign_cluster, vip_mac, foreign_cluster,
     listed},
    {"the master binds the VIP to the virtual MAC",
     nd_frame(kLocal6, advertisement(kRouterVip6, target(kVirtual6))), foreign_vip, passed, passed,
     member_of(kRouter)},
    {"the master binds the VIP to the virtual MAC for IPv4",
     nd_frame(kLocal6, advertisement(kRouterVip6, target(kVirtual4))), foreign_vip, vip_mac, vip_mac,
     member_of(kRouter)},
    {"an advertisement in another VLAN", tagged(nd_frame(kIp6, advertisement(kOtherIp6, target(kOwn))), {5}),
     passed, passed, passed},
    {"an advertisement with a priority tag",
     tagged(nd_frame(kIp6, advertisement(kOtherIp6, target(kOwn))), {0}), neighbour_address,
     neighbour_address, neighbour_address},
    {"an advertisement with the option twice",
     nd_frame(kIp6, advertisement(kFree6, options(0, joined({target(kOwn), target(kOwn)})))), passed, passed,
     passed},
    {"an advertisement whose second option says another MAC",
     nd_frame(kIp6, advertisement(kFree6, joined({target(kOwn), target(kOther)}))), nd_malformed,
     nd_malformed, nd_malformed},
    {"a lie behind fifteen options", nd_frame(kIp6, advertisement(kFree6, options(15, target(kOther)))),
     neighbour_mac, neighbour_mac, neighbour_mac},
    {"seventeen options", nd_frame(kIp6, advertisement(kFree6, options(16, target(kOther)))), nd_malformed,
     nd_malformed, nd_malformed},
    {"an option of length zero", nd_frame(kIp6, advertisement(kFree6, spoiled(target(kOwn), 1, 0))),
     nd_malformed, nd_malformed, nd_malformed},
    {"an option longer than the message", nd_frame(kIp6, advertisement(kFree6, spoiled(target(kOwn), 1, 2))),
     nd_malformed, nd_malformed, nd_malformed},
    {"a link layer option of sixteen octets",
     nd_frame(kIp6, advertisement(kFree6, joined({spoiled(target(kOwn), 1, 2), Frame(8, 0)}))), nd_malformed,
     nd_malformed, nd_malformed},
    {"an option that is cut", nd_frame(kIp6, advertisement(kFree6, cut(target(kOwn), 6))), nd_malformed,
     nd_malformed, nd_malformed},
    {"a lie in the padding", says_length(nd_frame(kIp6, advertisement(kFree6, target(kOther))), 24), passed,
     passed, passed},
    {"a message shorter than its head", says_length(nd_frame(kIp6, advertisement(kFree6, {})), 23),
     nd_malformed, nd_malformed, nd_malformed},
    {"an option longer than the frame",
     says_length(nd_frame(kIp6, advertisement(kFree6, Frame{14, 2, 0, 0, 0, 0, 0, 0})), 40), nd_malformed,
     nd_malformed, nd_malformed},
    {"a message longer than the frame", says_length(nd_frame(kIp6, advertisement(kFree6, {})), 32),
     nd_malformed, nd_malformed, nd_malformed},
    {"discovery in a fragment",
     ipv6_frame(kIp6, 44, joined({fragment_header(58, 0, true), advertisement(kIp6, target(kOwn))})),
     nd_fragment, nd_fragment, nd_fragment},
    {"discovery in a fragment that is all",
     ipv6_frame(kIp6, 44, joined({fragment_header(58, 0, false), advertisement(kIp6, target(kOwn))})),
     nd_fragment, nd_fragment, nd_fragment},
    {"a router solicitation", nd_frame(kLocal6, router_solicitation(source(kOwn))), passed, passed, passed,
     listed},
    {"a router solicitation from the unspecified address", nd_frame(kAny6, router_solicitation({})), passed,
     passed, passed, listed},
    {"a router solicitation with a neighbours MAC", nd_frame(kLocal6, router_solicitation(source(kOther))),
     neighbour_mac, neighbour_mac, neighbour_mac},
    {"a router advertisement", nd_frame(kLocal6, router_announcement(source(kOwn))), router_advertisement,
     router_advertisement, router_advertisement, kRouterGuard},
    {"a router advertisement behind an extension header",
     ipv6_frame(kLocal6, 60, joined({extension(58), router_announcement({})})), router_advertisement,
     router_advertisement, router_advertisement, kRouterGuard},
    {"a router advertisement of a router", nd_frame(kLocal6, router_announcement(source(kOwn))), passed,
     passed, passed},
    {"a router advertisement with a neighbours MAC", nd_frame(kLocal6, router_announcement(source(kOther))),
     neighbour_mac, neighbour_mac, neighbour_mac},
    {"a router advertisement with a prefix",
     nd_frame(kLocal6, router_announcement(joined({source(kOwn), Frame{3, 4}, Frame(30, 0)}))), passed,
     passed, passed},
    {"a redirect", nd_frame(kLocal6, nd_redirect(kFree6, kFree6, target(kOwn))), redirect, redirect, redirect,
     kRouterGuard},
    {"a redirect of a router", nd_frame(kLocal6, nd_redirect(kFree6, kFree6, target(kStrange))), passed,
     passed, passed},
    {"a redirect that misplaces a neighbour", nd_frame(kLocal6, nd_redirect(kOtherIp6, kFree6, target(kOwn))),
     neighbour_address, neighbour_address, neighbour_address},
    {"a redirect that places a neighbour", nd_frame(kLocal6, nd_redirect(kOtherIp6, kFree6, target(kOther))),
     passed, passed, passed},
    {"a redirect that misplaces the VIP", nd_frame(kLocal6, nd_redirect(kWebVip6, kFree6, target(kOwn))),
     vip_mac, vip_mac, vip_mac},
    {"multicast listener report", nd_frame(kLocal6, {143, 0, 0, 0, 0, 0, 0, 0}), passed, passed, passed,
     listed},
    {"an echo request", nd_frame(kLocal6, {128, 0, 0, 0, 0, 0, 0, 0}), passed, passed, passed, kRouterGuard},
};

NLB_GUARD_FIXTURES(Discovery, guest_transmit, kDiscovery);

}  // namespace
}  // namespace nlb::test
