// SPDX-License-Identifier: Apache-2.0
// A fixture is a sentence, a frame, and the reason for which each of the three settings of the port lets it
// go or not. It goes through the kernel programs and the model, with its VLAN tag in the frame and taken off.
//
//   port    what it is                     MAC   addresses
//   web1    the guest under test, host 1   …:01  10.77.0.11, fd77::11 (in the list where one is `listed`)
//   web2    host 2 of cluster web          …:02  10.77.0.12, fd77::12
//   other   off, in no cluster             …:03  10.77.0.13, fd77::13
//   uplink
//   absent  a guest that runs elsewhere    …:70  10.77.0.70
//
//   cluster  type                 VIP                     MACs
//   web      NLB unicast          10.77.0.100, fd77::100  02-bf-0a-4d-00-64, 02-h-…, group 03-bf-…
//   router   VRRP 51              10.77.0.150, fd77::150  00-00-5e-00-01-33, 00-00-5e-00-02-33
//            and 70, only IPv6                            00-00-5e-00-02-46
//   shop     NLB multicast        10.77.0.120             03-bf-0a-4d-00-78
//   mail     NLB IGMP             10.77.0.130             01-00-5e-7f-00-82, group 03-bf-…
//   nested   a list of MACs       10.77.0.140             52-54-00-aa-00-01 and -02
//   plain    VRRP 60, own MACs    10.77.0.160             00-00-5e-00-01-3c
//   far      NLB unicast, VLAN 7  10.7.7.100              02-bf-0a-07-07-64, 02-h-…
//
// On another bridge …:99, 10.77.0.50 and fd77::50 are somebody's; on this one they are nobody's.
#pragma once

#include <functional>

#include "harness.hh"

namespace nlb::test {

namespace why {
#define NLB_REASON_CONSTANT(name, expected, text) \
  inline constexpr nlb_guard_reason name = NLB_GUARD_REASON_##name;
NLB_GUARD_REASONS(NLB_REASON_CONSTANT)
#undef NLB_REASON_CONSTANT
}  // namespace why

enum Cluster : uint16_t { kWeb = 1, kRouter, kShop, kMail, kNested, kPlain, kFar };

struct Arrangement {
  nlb_guard_port port;     // web1's policy, before it is set
  bool addresses = false;  // web1 has a list
};

struct GuardFixture {
  std::string sentence;
  Frame frame;
  nlb_guard_reason off, cluster, on;
  std::function<void(Arrangement&)> arrange = [](Arrangement&) {};
  std::optional<OpenChecksum> checksum = {};
  bool is_large = false;
  std::function<void()> before_each = [] {};  // after states were forgotten
};

enum class Place { guest_transmit, guest_receive, uplink_transmit, uplink_receive };

inline void PrintTo(const GuardFixture& fixture, std::ostream* out) {
  *out << fixture.sentence;
}
std::string fixture_name(const testing::TestParamInfo<GuardFixture>& info);
void arrange_world(nlb_guard_spoofing spoofing, const std::function<void(Arrangement&)>& arrange);
void run_fixture(const GuardFixture& fixture, Place place);
uint32_t web1();
uint32_t web2();
uint32_t other();
uint32_t uplink();

inline const MacAddress kOwn = mac("52:54:00:00:00:01"), kWeb2 = mac("52:54:00:00:00:02"),
                        kOther = mac("52:54:00:00:00:03"), kStrange = mac("52:54:00:00:00:99"),
                        kAbsent = mac("52:54:00:00:00:70"), kGateway = mac("52:54:00:00:00:fe"),
                        kAll = mac("ff:ff:ff:ff:ff:ff"), kNone = mac("00:00:00:00:00:00"),
                        kWebMac = mac("02:bf:0a:4d:00:64"), kWebGroup = mac("03:bf:0a:4d:00:64"),
                        kMasked1 = mac("02:01:0a:4d:00:64"), kMasked2 = mac("02:02:0a:4d:00:64"),
                        kMasked3 = mac("02:03:0a:4d:00:64"), kRogue = mac("02:bf:0a:4d:00:c8"),
                        kRogueGroup = mac("03:bf:0a:4d:00:c8"), kVirtual4 = mac("00:00:5e:00:01:33"),
                        kVirtual6 = mac("00:00:5e:00:02:33"), kVirtual6Only = mac("00:00:5e:00:02:46"),
                        kShopMac = mac("03:bf:0a:4d:00:78"), kMailMac = mac("01:00:5e:7f:00:82"),
                        kMailGroup = mac("03:bf:0a:4d:00:82"), kNested1 = mac("52:54:00:aa:00:01"),
                        kNested2 = mac("52:54:00:aa:00:02"), kPlainMac = mac("00:00:5e:00:01:3c"),
                        kFarMac = mac("02:bf:0a:07:07:64"), kFarMasked1 = mac("02:01:0a:07:07:64");
inline const uint32_t kWindowsIp = ip("10.77.0.22");  // of a member, at the cluster MAC
inline const uint32_t kIp = ip("10.77.0.11"), kIp2 = ip("10.77.0.12"), kOtherIp = ip("10.77.0.13"),
                      kFree = ip("10.77.0.50"), kAbsentIp = ip("10.77.0.70"), kGatewayIp = ip("10.77.0.1"),
                      kWebVip = ip("10.77.0.100"), kRouterVip = ip("10.77.0.150"),
                      kShopVip = ip("10.77.0.120"), kMailVip = ip("10.77.0.130"),
                      kNestedVip = ip("10.77.0.140"), kPlainVip = ip("10.77.0.160"),
                      kFarVip = ip("10.7.7.100");
inline const IpAddress kIp6 = ip6("fd77::11"), kIp62 = ip6("fd77::12"), kOtherIp6 = ip6("fd77::13"),
                       kFree6 = ip6("fd77::50"), kWebVip6 = ip6("fd77::100"), kRouterVip6 = ip6("fd77::150"),
                       kLocal6 = ip6("fe80::5054:ff:fe00:1"), kStrange6 = ip6("fe80::1234"),
                       kAny6 = ip6("::"), kAllNodes = ip6("ff02::1");

// Short forms for the tables.
inline constexpr uint16_t kRequest = 1, kReply = 2;
inline Frame arp_frame(const Arp& arp, const MacAddress& from, const MacAddress& to = kAll) {
  return Ethernet{to, from}.wrap(0x0806, arp.bytes());
}
inline Frame arp_frame(const Arp& arp) {  // from whom it says
  return arp_frame(arp, arp.sender_mac);
}
inline Frame ipv4_frame(uint32_t source, uint8_t protocol = 6, const Frame& payload = tcp(1000, 80, kSyn),
                        const MacAddress& from = kOwn) {
  return Ethernet{kGateway, from}.wrap(0x0800, Ipv4{source, kFree}.wrap(protocol, payload));
}
inline Frame ipv6_frame(const IpAddress& source, uint8_t next_header, const Frame& payload,
                        const MacAddress& from = kOwn) {
  return Ethernet{kGateway, from}.wrap(0x86dd, ipv6(source, kAllNodes, next_header, payload));
}
inline Frame nd_frame(const IpAddress& source, const Frame& message, const MacAddress& from = kOwn) {
  return ipv6_frame(source, 58, message, from);
}
inline Frame cut(Frame frame, std::size_t bytes) {
  frame.resize(bytes);
  return frame;
}
inline Frame spoiled(Frame frame, std::size_t at, uint8_t value) {
  frame[at] = value;
  return frame;
}
inline Frame tagged(const Frame& frame, std::initializer_list<uint16_t> tags, uint16_t type = 0x8100) {
  Frame made(frame.begin(), frame.begin() + 12);
  for (const uint16_t tag : tags) {
    put16(made, type);
    put16(made, tag);
  }
  made.insert(made.end(), frame.begin() + 12, frame.end());
  return made;
}
inline void listed(Arrangement& a) {
  a.addresses = true;
  a.port.flags |= NLB_GUARD_PORT_ADDRESSES_SET;
}
inline void on_other_bridge(Arrangement& a) {
  a.port.bridge = 1;
}
inline std::function<void(Arrangement&)> member_of(Cluster cluster) {
  return [cluster](Arrangement& a) { a.port.cluster = cluster; };
}
inline std::function<void(Arrangement&)> flags(uint32_t flags) {
  return [flags](Arrangement& a) { a.port.flags |= flags; };
}

}  // namespace nlb::test

#define NLB_GUARD_FIXTURES(suite, place, table)                            \
  class suite : public testing::TestWithParam<nlb::test::GuardFixture> {}; \
  TEST_P(suite, judged) {                                                  \
    nlb::test::run_fixture(GetParam(), nlb::test::Place::place);           \
  }                                                                        \
  INSTANTIATE_TEST_SUITE_P(all, suite, testing::ValuesIn(table), nlb::test::fixture_name)
