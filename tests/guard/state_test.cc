// SPDX-License-Identifier: Apache-2.0
// What a port uses up and what follows from a violation: storm limit, number of MACs, shutdown, report,
// audit, events.
#include <algorithm>

#include "fixtures.hh"

namespace nlb::test {
namespace {

const Frame kBroadcastFrame = Ethernet{kAll, kOwn}.wrap(0x1234, Frame(46, 0));
const Frame kUnicastFrame = Ethernet{kGateway, kOwn}.wrap(0x1234, Frame(46, 0));
const Frame kHeartbeat = Ethernet{kWebGroup, kOwn}.wrap(0x88b5, Frame(46, 0));
const Frame kHeartbeatInIp =
    Ethernet{kWebGroup, kOwn}.wrap(0x0800, Ipv4{kIp, ip("239.255.0.100")}.wrap(253, Frame(46, 0)));
const Frame kSpoofed = Ethernet{kGateway, kStrange}.wrap(0x1234, Frame(46, 0));
const Frame kForNobody = Ethernet{kStrange, kGateway}.wrap(0x1234, Frame(46, 0));

Frame from(uint8_t last) {
  MacAddress source = kStrange;
  source.octets[4] = 1;
  source.octets[5] = last;
  return Ethernet{kGateway, source}.wrap(0x1234, Frame(46, 0));
}

// Sends from web1 and compares with the model on the way.
std::string sent(const Frame& frame) {
  nlb_guard_reason reason = NLB_GUARD_REASON_passed;
  EXPECT_EQ(guard().difference(web1(), NLB_GUARD_TRANSMIT, frame, {}, &reason), "");
  return guard_reason_name(reason);
}
std::string got(const Frame& frame) {
  nlb_guard_reason reason = NLB_GUARD_REASON_passed;
  EXPECT_EQ(guard().difference(web1(), NLB_GUARD_RECEIVE, frame, {}, &reason), "");
  return guard_reason_name(reason);
}
GuardOutcome run(const Frame& frame, nlb_guard_direction direction = NLB_GUARD_TRANSMIT) {
  return guard().run(web1(), direction, frame);
}

using Change = std::function<void(nlb_guard_port&)>;
nlb_guard_port arrange(nlb_guard_spoofing spoofing, const Change& change) {
  nlb_guard_port policy{};
  arrange_world(spoofing, [&](Arrangement& a) {
    change(a.port);
    policy = a.port;
  });
  return policy;
}

TEST(Storm, a_burst_of_a_tenth_of_a_second_passes) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port& port) { port.storm_limit_pps = 50; });
  const Nanos begin = boot_now();
  Nanos passed = 0;
  for (int i = 0; i < 20; ++i) passed += run(kBroadcastFrame).reason == NLB_GUARD_REASON_passed ? 1 : 0;
  const Nanos refilled = (boot_now() - begin) / (kSecond / 50) + 1;
  EXPECT_GE(passed, 5);
  EXPECT_LE(passed, 5 + refilled);
  EXPECT_EQ(guard_reason_name(run(kUnicastFrame).reason), std::string("passed"));
}

TEST(Storm, one_frame_passes_under_the_smallest_limit) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port& port) { port.storm_limit_pps = 1; });
  EXPECT_EQ(sent(kBroadcastFrame), "passed");
  EXPECT_EQ(sent(kBroadcastFrame), "storm");
}

TEST(Storm, refused_frames_do_not_put_off_the_next) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port& port) { port.storm_limit_pps = 1; });
  guard().set_used_up(web1(), 3600 * kSecond);
  const __u64 before = guard().kernel_state(web1()).storm_ns;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(sent(kBroadcastFrame), "storm");
  EXPECT_EQ(guard().kernel_state(web1()).storm_ns, before);
}

TEST(Storm, the_limit_gives_way_with_time) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port& port) { port.storm_limit_pps = 1; });
  guard().set_used_up(web1(), 10 * kSecond);
  EXPECT_EQ(sent(kBroadcastFrame), "storm");
  guard().set_used_up(web1(), -kSecond);
  EXPECT_EQ(sent(kBroadcastFrame), "passed");
}

TEST(Storm, does_not_cost_a_member_its_heartbeats) {
  arrange(NLB_GUARD_SPOOFING_CLUSTER, [](nlb_guard_port& port) { port.storm_limit_pps = 1; });
  EXPECT_EQ(sent(kBroadcastFrame), "passed");
  EXPECT_EQ(sent(kBroadcastFrame), "storm");
  EXPECT_EQ(sent(kHeartbeat), "passed");
  EXPECT_EQ(sent(kHeartbeatInIp), "passed");
}

TEST(Storm, heartbeats_are_no_way_round_it) {
  arrange(NLB_GUARD_SPOOFING_CLUSTER, [](nlb_guard_port& port) { port.storm_limit_pps = 1; });
  guard().set_used_up(web1(), 3600 * kSecond);
  EXPECT_EQ(sent(kHeartbeat), "heartbeat_storm");
  EXPECT_EQ(sent(kHeartbeatInIp), "heartbeat_storm");
  EXPECT_EQ(sent(Ethernet{kAll, kOwn}.wrap(0x88b5, Frame(46, 0))), "storm");
}

TEST(Storm, what_is_refused_uses_nothing_up) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port& port) { port.storm_limit_pps = 1; });
  EXPECT_EQ(sent(Ethernet{kAll, kStrange}.wrap(0x1234, Frame(46, 0))), "source_spoofed");
  EXPECT_EQ(sent(kBroadcastFrame), "passed");
}

TEST(Learning, as_many_as_are_allowed_and_a_place_for_the_own) {
  arrange(NLB_GUARD_SPOOFING_ON, [](nlb_guard_port& port) { port.max_macs = 3; });
  EXPECT_EQ(sent(from(1)), "passed");
  EXPECT_EQ(sent(from(2)), "passed");
  EXPECT_EQ(sent(from(3)), "too_many_macs");
  EXPECT_EQ(sent(from(1)), "passed");
  EXPECT_EQ(sent(kUnicastFrame), "passed");
  EXPECT_EQ(guard().learned_count(), 2U);
  EXPECT_EQ(guard().kernel_state(web1()).macs_learned, 2U);
}

TEST(Learning, the_first_address_where_none_is_known) {
  arrange(NLB_GUARD_SPOOFING_ON, [](nlb_guard_port& port) {
    port.max_macs = 1;
    std::fill_n(port.mac, 6, uint8_t{0});
  });
  EXPECT_EQ(sent(from(1)), "passed");
  EXPECT_EQ(sent(from(2)), "too_many_macs");
}

TEST(Learning, what_the_daemon_forgot_makes_room) {
  nlb_guard_port policy = arrange(NLB_GUARD_SPOOFING_ON, [](nlb_guard_port& port) { port.max_macs = 2; });
  EXPECT_EQ(sent(from(1)), "passed");
  EXPECT_EQ(guard_reason_name(run(from(2)).reason), std::string("too_many_macs"));
  guard().forget_mac(web1(), from(1));
  policy.macs_forgotten = 1;
  guard().set_port(web1(), policy);
  EXPECT_EQ(sent(from(2)), "passed");
  EXPECT_EQ(sent(from(1)), "too_many_macs");
}

TEST(Learning, nothing_is_learned_without_a_limit) {
  arrange(NLB_GUARD_SPOOFING_ON, [](nlb_guard_port&) {});
  for (uint8_t i = 0; i < 200; ++i) EXPECT_EQ(sent(from(i)), "passed");
  EXPECT_EQ(guard().learned_count(), 0U);
}

TEST(Violation, shuts_the_port_in_both_directions_until_it_is_recovered) {
  nlb_guard_port policy = arrange(
      NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port& port) { port.violation = NLB_GUARD_VIOLATION_SHUTDOWN; });
  EXPECT_EQ(sent(kUnicastFrame), "passed");
  EXPECT_EQ(got(kForNobody), "not_for_port");
  EXPECT_EQ(sent(kUnicastFrame), "passed");
  EXPECT_EQ(sent(kSpoofed), "source_spoofed");
  EXPECT_EQ(sent(kUnicastFrame), "port_shutdown");
  EXPECT_EQ(got(Ethernet{kOwn, kGateway}.wrap(0x1234, Frame(46, 0))), "port_shutdown");
  const nlb_guard_state state = guard().kernel_state(web1());
  EXPECT_EQ(state.down_reason, uint32_t{NLB_GUARD_REASON_source_spoofed});
  policy.recovered_ns = static_cast<__u64>(boot_now());
  guard().set_port(web1(), policy);
  EXPECT_EQ(sent(kUnicastFrame), "passed");
  EXPECT_EQ(sent(kSpoofed), "source_spoofed");
  EXPECT_EQ(sent(kUnicastFrame), "port_shutdown");
}

TEST(Violation, report_lets_through_what_it_tells) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port& port) { port.violation = NLB_GUARD_VIOLATION_REPORT; });
  const GuardOutcome outcome = run(kSpoofed);
  EXPECT_EQ(reason_name(outcome.reason), "source_spoofed");
  EXPECT_FALSE(outcome.dropped);
  EXPECT_TRUE(outcome.marked);
  ASSERT_TRUE(outcome.event);
  EXPECT_EQ(outcome.event->dropped, 0);
}

TEST(Violation, report_delivers_nothing_that_is_for_others) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port& port) { port.violation = NLB_GUARD_VIOLATION_REPORT; });
  EXPECT_TRUE(run(kForNobody, NLB_GUARD_RECEIVE).dropped);
}

TEST(Violation, audit_drops_nothing) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port& port) {
    port.flags = NLB_GUARD_PORT_AUDIT;
    port.violation = NLB_GUARD_VIOLATION_SHUTDOWN;
  });
  const GuardOutcome outcome = run(kSpoofed);
  EXPECT_EQ(reason_name(outcome.reason), "source_spoofed");
  EXPECT_FALSE(outcome.dropped);
  EXPECT_TRUE(outcome.marked);
  EXPECT_FALSE(run(kForNobody, NLB_GUARD_RECEIVE).dropped);
  EXPECT_EQ(sent(kUnicastFrame), "passed");
}

TEST(NoPolicy, nothing_passes_in_either_direction) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port&) {});
  guard().remove_port(web1());
  for (const auto direction : {NLB_GUARD_TRANSMIT, NLB_GUARD_RECEIVE}) {
    const GuardOutcome outcome = run(kUnicastFrame, direction);
    EXPECT_EQ(reason_name(outcome.reason), "no_policy");
    EXPECT_TRUE(outcome.dropped);
    EXPECT_FALSE(outcome.marked);
    EXPECT_FALSE(outcome.event);
  }
}

TEST(Events, one_a_reason_within_the_interval) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port&) {});
  guard().set_report_interval(3600 * kSecond);
  EXPECT_TRUE(run(kSpoofed).event);
  EXPECT_FALSE(run(kSpoofed).event);
  EXPECT_TRUE(run(cut(Ethernet{kAll, kNone}.wrap(0x1234, Frame(46, 0)), 60)).event);
  guard().set_report_interval(0);
  EXPECT_TRUE(run(kSpoofed).event);
}

TEST(Events, say_what_was_lost_when_nobody_reads) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port&) {});
  const uint64_t room = NLB_GUARD_EVENT_BYTES / (sizeof(nlb_guard_event) + 8);
  EXPECT_GT(guard().run_unread(web1(), kSpoofed, static_cast<uint32_t>(room + 100)), 99U);
  EXPECT_EQ(guard().drop_unread(), room);
}

TEST(Events, carry_the_evidence) {
  arrange(NLB_GUARD_SPOOFING_OFF, [](nlb_guard_port& port) { port.vlan = 3; });
  const Frame lie = arp_frame({kReply, kOwn, kOtherIp, kGateway, kGatewayIp}, kOwn, kGateway);
  guard().set_address({3}, IpAddress::v4(kOtherIp), {other(), 0, NLB_GUARD_ADDRESS_OWN, 0, {}, {}});
  const Nanos before = boot_now();
  const GuardOutcome outcome = run(lie);
  ASSERT_TRUE(outcome.event);
  const nlb_guard_event& event = *outcome.event;
  EXPECT_EQ(event.ifindex, web1());
  EXPECT_EQ(event.frame_bytes, lie.size());
  EXPECT_EQ(event.vlan, 3);
  EXPECT_EQ(event.ether_type, 0x0806);
  EXPECT_EQ(event.reason, NLB_GUARD_REASON_neighbour_address);
  EXPECT_EQ(event.direction, NLB_GUARD_TRANSMIT);
  EXPECT_EQ(event.dropped, 1);
  EXPECT_EQ(event.head_bytes, lie.size());
  EXPECT_GT(event.time_ns, static_cast<uint64_t>(before));
  EXPECT_LT(event.time_ns, static_cast<uint64_t>(boot_now()));
}

}  // namespace
}  // namespace nlb::test
