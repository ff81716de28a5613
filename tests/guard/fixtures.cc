// SPDX-License-Identifier: Apache-2.0
#include "fixtures.hh"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace nlb::test {
namespace {

void put(__u8 (&to)[6], const MacAddress& mac) {
  std::memcpy(to, mac.octets.data(), 6);
}

nlb_guard_mac of_port(uint32_t ifindex, uint16_t cluster) {
  return {ifindex, cluster, NLB_GUARD_MAC_PORT, 0};
}
nlb_guard_mac of_cluster(uint16_t cluster, nlb_guard_mac_kind kind) {
  return {0, cluster, static_cast<__u8>(kind), 0};
}

nlb_guard_address vip(uint16_t cluster, const MacAddress& mac, uint8_t flags = 0) {
  nlb_guard_address entry{};
  entry.cluster = cluster;
  entry.kind = NLB_GUARD_ADDRESS_VIP;
  entry.flags = flags;
  put(entry.mac, mac);
  return entry;
}
nlb_guard_address own(uint32_t ifindex, const MacAddress& mac, const MacAddress& other_mac = kNone) {
  nlb_guard_address entry{};
  entry.ifindex = ifindex;
  entry.kind = NLB_GUARD_ADDRESS_OWN;
  put(entry.mac, mac);
  put(entry.other_mac, other_mac);
  return entry;
}

void set_masked(uint16_t vlan, Cluster cluster, const MacAddress& cluster_mac) {
  for (uint8_t host = 1; host <= 64; ++host) {
    MacAddress masked = cluster_mac;
    masked.octets[1] = host;
    const uint32_t here = host == 1 ? web1() : host == 2 ? web2() : 0;
    guard().set_mac({vlan}, masked, {here, cluster, NLB_GUARD_MAC_MASKED, host});
  }
}

void set_clusters() {
  guard().set_mac({0}, kWebMac, of_cluster(kWeb, NLB_GUARD_MAC_CLUSTER));
  guard().set_mac({0}, kWebGroup, of_cluster(kWeb, NLB_GUARD_MAC_GROUP));
  set_masked(0, kWeb, kWebMac);
  guard().set_mac({0}, kVirtual4, of_cluster(kRouter, NLB_GUARD_MAC_VIRTUAL));
  guard().set_mac({0}, kVirtual6, of_cluster(kRouter, NLB_GUARD_MAC_VIRTUAL));
  guard().set_mac({0}, kVirtual6Only, of_cluster(kRouter, NLB_GUARD_MAC_VIRTUAL));
  guard().set_mac({0}, kShopMac, of_cluster(kShop, NLB_GUARD_MAC_GROUP));
  guard().set_mac({0}, kMailMac, of_cluster(kMail, NLB_GUARD_MAC_GROUP));
  guard().set_mac({0}, kMailGroup, of_cluster(kMail, NLB_GUARD_MAC_GROUP));
  guard().set_mac({0}, kNested1, of_cluster(kNested, NLB_GUARD_MAC_VIRTUAL));
  guard().set_mac({0}, kNested2, of_cluster(kNested, NLB_GUARD_MAC_VIRTUAL));
  guard().set_mac({0}, kPlainMac, of_cluster(kPlain, NLB_GUARD_MAC_VIRTUAL));
  guard().set_mac({7}, kFarMac, of_cluster(kFar, NLB_GUARD_MAC_CLUSTER));
  set_masked(7, kFar, kFarMac);
  guard().set_address({0}, IpAddress::v4(kWebVip), vip(kWeb, kWebMac));
  guard().set_address({0}, kWebVip6, vip(kWeb, kWebMac));
  guard().set_address({0}, IpAddress::v4(kRouterVip), vip(kRouter, kVirtual4));
  guard().set_address({0}, kRouterVip6, vip(kRouter, kVirtual6));
  guard().set_address({0}, IpAddress::v4(kShopVip), vip(kShop, kShopMac));
  guard().set_address({0}, IpAddress::v4(kMailVip), vip(kMail, kMailMac));
  guard().set_address({0}, IpAddress::v4(kNestedVip), vip(kNested, kNone, NLB_GUARD_BIND_VIRTUAL));
  guard().set_address({0}, IpAddress::v4(kPlainVip), vip(kPlain, kNone, NLB_GUARD_BIND_OWN));
  guard().set_address({7}, IpAddress::v4(kFarVip), vip(kFar, kFarMac));
}

nlb_guard_port guest(nlb_guard_spoofing spoofing, const MacAddress& mac) {
  nlb_guard_port port{};
  port.role = NLB_GUARD_ROLE_GUEST;
  port.spoofing = static_cast<__u8>(spoofing);
  put(port.mac, mac);
  return port;
}

constexpr uint32_t kAway = 90'000;  // a port of another bridge, whose MAC and addresses are nobody's here

void set_neighbours() {
  nlb_guard_port second = guest(NLB_GUARD_SPOOFING_CLUSTER, kWeb2);
  second.cluster = kWeb;
  second.host_id = 2;
  put(second.masked_mac, kMasked2);
  guard().set_port(web2(), second);
  guard().set_port(other(), guest(NLB_GUARD_SPOOFING_OFF, kOther));
  nlb_guard_port up{};
  up.role = NLB_GUARD_ROLE_UPLINK;
  guard().set_port(uplink(), up);
  guard().set_mac({NLB_GUARD_ANY_VLAN}, kWeb2, of_port(web2(), kWeb));
  guard().set_mac({NLB_GUARD_ANY_VLAN}, kOther, of_port(other(), 0));
  guard().set_address({0}, IpAddress::v4(kIp2), own(web2(), kWeb2, kMasked2));
  guard().set_mac({NLB_GUARD_ANY_VLAN}, kAbsent, of_port(0, 0));
  nlb_guard_address windows = own(web2(), kWeb2, kMasked2);
  windows.cluster = kWeb;
  guard().set_address({0}, IpAddress::v4(kWindowsIp), windows);
  guard().set_address({0}, IpAddress::v4(kAbsentIp), own(0, kAbsent));
  guard().set_mac({NLB_GUARD_ANY_VLAN, 1}, kStrange, of_port(kAway, 0));
  guard().set_address({0, 1}, IpAddress::v4(kFree), own(kAway, kStrange));
  guard().set_address({0, 1}, kFree6, own(kAway, kStrange));
  guard().set_address({0}, kIp62, own(web2(), kWeb2, kMasked2));
  guard().set_address({0}, IpAddress::v4(kOtherIp), own(other(), kOther));
  guard().set_address({0}, kOtherIp6, own(other(), kOther));
}

std::optional<uint16_t> outermost_tag(const Frame& frame) {
  if (frame.size() < 18 || frame[12] != 0x81 || frame[13] != 0) return std::nullopt;
  return static_cast<uint16_t>(frame[14] << 8 | frame[15]);
}

void check_event(const nlb_guard_event& event, const GuardDecision& decision) {
  MacAddress blamed;
  std::copy_n(event.mac, 6, blamed.octets.begin());
  EXPECT_EQ(blamed, decision.mac);
  std::optional<IpAddress> address;
  if (event.has_address != 0) std::copy_n(event.address, 16, address.emplace().octets.begin());
  EXPECT_EQ(address, decision.address);
}

void check(uint32_t port, nlb_guard_direction direction, const Frame& frame, const Beside& beside,
           nlb_guard_reason expected, const std::function<void()>& before_each) {
  guard().clear_states();
  before_each();
  const GuardDecision decision = guard().model(port, direction, frame, beside);
  EXPECT_EQ(reason_name(decision.reason), reason_name(expected)) << "by the model";
  guard().clear_states();
  before_each();
  const GuardOutcome outcome = guard().run(port, direction, frame, beside);
  if (outcome.refused) return;
  EXPECT_EQ(reason_name(outcome.reason), reason_name(expected)) << "by the kernel program";
  EXPECT_EQ(outcome.dropped, !lets_through(expected));
  EXPECT_EQ(outcome.marked, !outcome.dropped && direction == NLB_GUARD_TRANSMIT);
  ASSERT_EQ(outcome.event.has_value(), !is_expected(expected)) << "event";
  if (!outcome.event) return;
  check_event(*outcome.event, decision);
  const std::size_t head = std::min<std::size_t>(frame.size(), NLB_GUARD_HEAD_BYTES);
  if (!beside.tag) {
    EXPECT_EQ(std::memcmp(outcome.event->head, frame.data(), head), 0);
  }
}

}  // namespace

uint32_t web1() {
  static const uint32_t index = port_index(0);
  return index;
}
uint32_t web2() {
  static const uint32_t index = port_index(1);
  return index;
}
uint32_t other() {
  static const uint32_t index = port_index(2);
  return index;
}
uint32_t uplink() {
  static const uint32_t index = port_index(3);
  return index;
}

void arrange_world(nlb_guard_spoofing spoofing, const std::function<void(Arrangement&)>& arrange) {
  Arrangement arrangement{guest(spoofing, kOwn)};
  nlb_guard_port& port = arrangement.port;
  port.cluster = kWeb;
  port.host_id = 1;
  put(port.masked_mac, kMasked1);
  // `on` stands for a port in no cluster, except where a fixture says one.
  if (spoofing == NLB_GUARD_SPOOFING_ON) port.cluster = 0;
  arrange(arrangement);
  guard().clear();
  set_clusters();
  set_neighbours();
  guard().set_mac({NLB_GUARD_ANY_VLAN}, kOwn,
                  of_port(web1(), spoofing == NLB_GUARD_SPOOFING_OFF ? uint16_t{0} : port.cluster));
  if (arrangement.addresses) {
    const bool masks = spoofing == NLB_GUARD_SPOOFING_CLUSTER && port.cluster == kWeb;
    guard().set_address({0}, IpAddress::v4(kIp), own(web1(), kOwn, masks ? kMasked1 : kNone));
    guard().set_address({0}, kIp6, own(web1(), kOwn, masks ? kMasked1 : kNone));
  }
  guard().set_port(web1(), port);
}

void run_fixture(const GuardFixture& fixture, Place place) {
  const bool up = place == Place::uplink_transmit || place == Place::uplink_receive;
  const bool out = place == Place::guest_transmit || place == Place::uplink_transmit;
  const auto direction = out ? NLB_GUARD_TRANSMIT : NLB_GUARD_RECEIVE;
  const uint32_t port = up ? uplink() : web1();
  const std::pair<nlb_guard_spoofing, nlb_guard_reason> settings[] = {
      {NLB_GUARD_SPOOFING_OFF, fixture.off},
      {NLB_GUARD_SPOOFING_CLUSTER, fixture.cluster},
      {NLB_GUARD_SPOOFING_ON, fixture.on}};
  for (const auto& [spoofing, expected] : settings) {
    SCOPED_TRACE(spoofing == NLB_GUARD_SPOOFING_OFF       ? "off"
                 : spoofing == NLB_GUARD_SPOOFING_CLUSTER ? "cluster"
                                                          : "on");
    arrange_world(spoofing, fixture.arrange);
    Beside beside{{}, fixture.checksum, fixture.is_large};
    check(port, direction, fixture.frame, beside, expected, fixture.before_each);
    if (const auto tag = outermost_tag(fixture.frame)) {
      SCOPED_TRACE("with the tag taken off");
      Frame rest = fixture.frame;
      rest.erase(rest.begin() + 12, rest.begin() + 16);
      beside.tag = tag;
      for (int* at : {&beside.checksum->begin, &beside.checksum->field})
        if (beside.checksum) *at -= 4;
      check(port, direction, rest, beside, expected, fixture.before_each);
    }
  }
}

std::string fixture_name(const testing::TestParamInfo<GuardFixture>& info) {
  std::string name;
  for (const char letter : info.param.sentence)
    name += std::isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '_';
  return name;
}

}  // namespace nlb::test
