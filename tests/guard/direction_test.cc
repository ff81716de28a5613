// SPDX-License-Identifier: Apache-2.0
// A frame that one member alone takes is sent to that member from where it comes in; anything less certain
// goes to all members, as before.
#include "fixtures.hh"

namespace nlb::test {
namespace {

using namespace why;

constexpr uint32_t kGeneration = 7;

// Port 80 is in slot 0, all others in the default slot.
wire::SteeringContent said(bool takes_80, bool takes_others) {
  wire::SteeringContent content;
  content.rules.vips = {IpAddress::v4(kWebVip), kWebVip6};
  content.rules.ports = {{0, 0, true, true, 80, 80}};
  for (const auto& [slot, takes] : {std::pair{0, takes_80}, std::pair{NLB_SLOT_DEFAULT, takes_others}})
    if (auto& row = content.rows[static_cast<uint8_t>(slot)]; takes) row.set();
  return content;
}

void says(uint32_t port, const wire::SteeringContent& content, uint32_t rules = 0) {
  guard().set_steering(port, kGeneration, content, {}, rules);
  guard().set_announced(port, kGeneration, 0);
}

void set_uplink(uint32_t flags) {
  nlb_guard_port port{};
  port.role = NLB_GUARD_ROLE_UPLINK;
  port.flags = flags;
  guard().set_port(uplink(), port);
}

// web1 takes port 80, web2 nothing of what is asked for here.
void arrange() {
  arrange_world(NLB_GUARD_SPOOFING_CLUSTER, [](Arrangement&) {});
  guard().clear_states();
  set_uplink(NLB_GUARD_PORT_DIRECTS);
  guard().set_members(0, kWeb, kWebMac, {web1(), web2()});
  says(web1(), said(true, false));
  says(web2(), said(false, false));
}

Frame to_vip(uint16_t port, const MacAddress& to = kWebMac, const Ipv4& header = {kFree, kWebVip}) {
  return Ethernet{to, kGateway}.wrap(0x0800, header.wrap(6, tcp(1000, port, kSyn)));
}
const Frame kFrame = to_vip(80);

struct Expected {
  nlb_guard_reason reason;
  MacAddress destination = kWebMac;
};

void expect_sent(uint32_t port, const Frame& frame, const Expected& expected, const Beside& beside = {}) {
  const auto decision = guard().model(port, NLB_GUARD_TRANSMIT, frame, beside);
  const auto outcome = guard().run(port, NLB_GUARD_TRANSMIT, frame, beside);
  EXPECT_EQ(reason_name(decision.reason), reason_name(expected.reason)) << "by the model";
  EXPECT_EQ(reason_name(outcome.reason), reason_name(expected.reason)) << "by the kernel program";
  EXPECT_EQ(outcome.dropped, !lets_through(expected.reason));
  if (outcome.dropped) return;
  EXPECT_EQ(outcome.destination, expected.destination);
  EXPECT_EQ(decision.destination, expected.destination);
  EXPECT_TRUE(outcome.marked);
  EXPECT_EQ(outcome.directed, expected.reason == directed);
}

TEST(Direction, a_frame_that_one_member_takes_goes_to_its_own_mac) {
  arrange();
  expect_sent(uplink(), kFrame, {directed, kOwn});
  const Frame v6 = Ethernet{kWebMac, kGateway}.wrap(0x86dd, ipv6(kFree6, kWebVip6, 17, udp(1000, 80)));
  expect_sent(uplink(), v6, {directed, kOwn});
  says(web1(), said(false, false));
  says(web2(), said(true, false));
  expect_sent(uplink(), kFrame, {directed, kWeb2});
}

TEST(Direction, at_the_members_port_it_has_the_clusters_mac_again_and_is_judged) {
  arrange();
  const Frame on_its_way = to_vip(80, kOwn);
  const Beside marked{{}, {}, false, true};
  auto outcome = guard().run(web1(), NLB_GUARD_RECEIVE, on_its_way, marked);
  EXPECT_EQ(reason_name(outcome.reason), "steered");
  EXPECT_EQ(outcome.destination, kWebMac);
  EXPECT_FALSE(outcome.directed) << "the mark is taken off";
  says(web1(), said(false, false));  // meanwhile
  EXPECT_EQ(reason_name(guard().run(web1(), NLB_GUARD_RECEIVE, on_its_way, marked).reason), "steered_away");
  outcome = guard().run(web1(), NLB_GUARD_RECEIVE, on_its_way);
  EXPECT_EQ(reason_name(outcome.reason), "passed") << "what was sent to the member itself";
  EXPECT_EQ(outcome.destination, kOwn);
  outcome = guard().run(web2(), NLB_GUARD_RECEIVE, on_its_way, marked);
  EXPECT_EQ(reason_name(outcome.reason), "not_for_port") << "of a bridge that floods";
  EXPECT_EQ(reason_name(guard().run(other(), NLB_GUARD_RECEIVE, to_vip(80, kOther), marked).reason),
            "passed");
}

TEST(Direction, another_use_of_the_mark_is_left_alone) {
  arrange();
  const Beside marked{{}, {}, false, true};
  const Frame like_ip = ipv6(kFree6, kWebVip6, 6, tcp(1000, 80, kSyn));
  for (const Frame& frame : {to_vip(80, kOwn, {kFree, kIp}), to_vip(80, kOwn, {kFree, kWebVip, 1, 0x2000}),
                             Ethernet{kOwn, kGateway}.wrap(0x8661, like_ip)}) {
    const auto outcome = guard().run(web1(), NLB_GUARD_RECEIVE, frame, marked);
    EXPECT_EQ(reason_name(outcome.reason), "passed") << "what was sent to the member's own address";
    EXPECT_EQ(outcome.destination, kOwn);
    EXPECT_EQ(guard().model(web1(), NLB_GUARD_RECEIVE, frame, marked).destination, kOwn);
  }
}

TEST(Direction, what_every_member_refuses_goes_nowhere) {
  arrange();
  expect_sent(uplink(), to_vip(81), {steered_away});
}

TEST(Direction, what_two_members_take_goes_to_all) {
  arrange();
  says(web2(), said(true, false));
  expect_sent(uplink(), kFrame, {passed});
}

TEST(Direction, one_member_that_says_nothing_certain_is_enough_for_all) {
  const auto fresh = static_cast<Nanos>(NLB_STEERING_FRESH_NS);
  arrange();
  guard().set_announced(web2(), kGeneration + 1, 0);
  expect_sent(uplink(), kFrame, {passed});
  guard().set_announced(web2(), kGeneration, fresh + kSecond);
  expect_sent(uplink(), kFrame, {passed});
  guard().set_announced(web2(), kGeneration, fresh - kSecond);
  expect_sent(uplink(), kFrame, {directed, kOwn});
  guard().set_members(0, kWeb, kWebMac, {web1(), web2(), other()});  // who never announces
  expect_sent(uplink(), kFrame, {passed});
  guard().set_members(0, kWeb, kWebMac, {web1(), web2()}, false);  // more than are kept
  expect_sent(uplink(), kFrame, {passed});
  expect_sent(uplink(), to_vip(81), {passed});
}

TEST(Direction, members_that_go_by_other_rules_are_of_no_one_mind) {
  arrange();
  auto content = said(false, false);
  content.rules.ports.clear();
  says(web2(), content, 1);
  expect_sent(uplink(), kFrame, {passed});
}

TEST(Direction, only_where_no_member_can_be_but_here) {
  arrange();
  set_uplink(0);
  expect_sent(uplink(), kFrame, {passed});
  nlb_guard_port guest{};  // of a bridge without an uplink
  guest.flags = NLB_GUARD_PORT_DIRECTS;
  std::copy(kOther.octets.begin(), kOther.octets.end(), guest.mac);
  guard().set_port(other(), guest);
  Frame from_guest = to_vip(80, kWebMac, {ip("10.77.0.51"), kWebVip});
  std::copy(kOther.octets.begin(), kOther.octets.end(), from_guest.begin() + 6);
  expect_sent(other(), from_guest, {directed, kOwn});
  guest.bridge = 1;  // whose members are others
  guard().set_port(other(), guest);
  guard().set_mac({0, 1}, kWebMac, {0, kWeb, NLB_GUARD_MAC_CLUSTER, 0});
  expect_sent(other(), from_guest, {passed});
}

TEST(Direction, what_does_not_tell_its_bucket_goes_to_all) {
  arrange();
  expect_sent(uplink(), to_vip(80, kWebMac, {kFree, kWebVip, 1, 0x2000}), {passed});
  expect_sent(uplink(), to_vip(80, kWebMac, {kFree, kWebVip, 1, 0, 4}), {passed});
  expect_sent(uplink(), to_vip(80, kWebMac, {kFree, kGatewayIp}), {passed});
  expect_sent(uplink(), arp_frame({kRequest, kGateway, kGatewayIp, kNone, kWebVip}, kGateway, kWebMac),
              {passed});
  expect_sent(uplink(), to_vip(80, kWebGroup), {passed, kWebGroup});
  expect_sent(uplink(), to_vip(80, kOwn), {passed, kOwn});
}

TEST(Direction, no_frame_comes_in_with_the_mark) {
  arrange();
  expect_sent(uplink(), to_vip(80, kOwn), {passed, kOwn}, {{}, {}, false, true});
}

}  // namespace
}  // namespace nlb::test
