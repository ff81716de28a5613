// SPDX-License-Identifier: Apache-2.0
// A cluster's frames to those members whose filter may take them: what members announce, what follows from
// it, and that the switch never holds back what the member's filter would have accepted.
#include <random>

#include "datapath/filter_model.hh"
#include "fixtures.hh"
#include "nlbd/steering_rules.hh"
#include "wire/fence_notice.hh"

namespace nlb::test {
namespace {

using namespace why;

constexpr uint32_t kGeneration = 0x01020304;

// Slot 0: port 80 of TCP, slot 1: port 80 of UDP at the first address, else the default. In slot 0 the member
// takes all, in slot 1 none, in the default slot every second bucket.
wire::SteeringContent said() {
  wire::SteeringContent content;
  content.rules.seed = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  content.rules.vips = {IpAddress::v4(kWebVip), kWebVip6};
  content.rules.ports = {{0, 0, true, false, 80, 80}, {1, 1, false, true, 80, 80}};
  content.rules.affinities[kDefaultSlot] = 1;
  content.rows[0].set();
  content.rows[1].reset();
  for (std::size_t bucket = 0; bucket < kBucketCount; bucket += 2) content.rows[kDefaultSlot].set(bucket);
  return content;
}

void in_force() {
  guard().set_steering(web1(), kGeneration, said());
  guard().set_announced(web1(), kGeneration, 0);
}
void announced_anew() {
  in_force();
  guard().set_announced(web1(), kGeneration + 1, 0);
}
void announced_long_ago() {
  in_force();
  guard().set_announced(web1(), kGeneration, static_cast<Nanos>(NLB_STEERING_FRESH_NS) + kSecond);
}
void announced_a_while_ago() {
  in_force();
  guard().set_announced(web1(), kGeneration, static_cast<Nanos>(NLB_STEERING_FRESH_NS) - kSecond);
}
void also_of_an_earlier_member() {
  decltype(wire::SteeringContent::rows) all;
  for (const uint8_t slot : {uint8_t{0}, uint8_t{1}, uint8_t{kDefaultSlot}}) all[slot].set();
  guard().set_steering(web1(), kGeneration, said(), all);
  guard().set_announced(web1(), kGeneration, 0);
}
void nothing_announced() {
  guard().set_steering(web1(), kGeneration, said());
}
void rows_of_another_time() {
  auto content = said();
  guard().set_steering(web1(), kGeneration - 1, content);
  content.rows.clear();
  guard().set_steering(web1(), kGeneration, content);
  guard().set_announced(web1(), kGeneration, 0);
}

Frame to_vip(uint8_t protocol, const Frame& payload, Ipv4 header = {kFree, kWebVip}) {
  return Ethernet{kWebMac, kGateway}.wrap(0x0800, header.wrap(protocol, payload));
}
Frame to_vip6(uint8_t next, const Frame& payload) {
  return Ethernet{kWebMac, kGateway}.wrap(0x86dd, ipv6(kFree6, kWebVip6, next, payload));
}
const Frame kTaken = to_vip(6, tcp(1000, 80, kSyn)), kNotTaken = to_vip(17, udp(1000, 80));

GuardFixture steered_fixture(const char* sentence, const Frame& frame, nlb_guard_reason expected,
                             void (*before)() = in_force) {
  return {sentence, frame, not_for_port, expected, not_for_port, [](Arrangement&) {}, {}, false, before};
}

// What is not sent to the cluster's MAC.
GuardFixture unsteered_fixture(const char* sentence, const Frame& frame) {
  return {sentence, frame, passed, passed, passed, [](Arrangement&) {}, {}, false, in_force};
}

const GuardFixture kSteered[] = {
    steered_fixture("a segment of a bucket that the member takes", kTaken, steered),
    steered_fixture("a datagram of a bucket that it does not take", kNotTaken, steered_away),
    steered_fixture("a segment of a bucket that two members take", kTaken, replicated,
                    also_of_an_earlier_member),
    steered_fixture("a datagram of a bucket that only another takes", kNotTaken, steered_away,
                    also_of_an_earlier_member),
    steered_fixture("a segment over IPv6", to_vip6(6, tcp(1000, 80, kSyn)), steered),
    steered_fixture("a datagram over IPv6 of the default slot whatever the rule for IPv4 says",
                    to_vip6(17, udp(1000, 80)), steered_away),
    steered_fixture("a datagram that was announced a while ago", kNotTaken, steered_away,
                    announced_a_while_ago),
    steered_fixture("a member that has announced something since", kNotTaken, flooded, announced_anew),
    steered_fixture("a member that is silent", kNotTaken, flooded, announced_long_ago),
    steered_fixture("a member that has announced nothing yet", kNotTaken, flooded, nothing_announced),
    steered_fixture("a row that was made of another announcement", kNotTaken, flooded, rows_of_another_time),
    steered_fixture("a member that does not announce", kNotTaken, passed, [] {}),
    steered_fixture("a first fragment", to_vip(17, udp(1000, 80), {kFree, kWebVip, 1, 0x2000}), flooded),
    steered_fixture("a later fragment", to_vip(17, udp(1000, 80), {kFree, kWebVip, 1, 5}), flooded),
    steered_fixture("a packet with options", to_vip(17, udp(1000, 80), {kFree, kWebVip, 1, 0, 4}), flooded),
    steered_fixture("ICMP", to_vip(1, icmp(8)), flooded),
    steered_fixture("SCTP", to_vip(132, udp(1000, 80)), flooded),
    steered_fixture("a datagram without its ports", to_vip(17, {1, 2, 3}), flooded),
    steered_fixture("a fragment over IPv6",
                    to_vip6(44, joined({fragment_header(17, 0, true), udp(1000, 80)})), flooded),
    steered_fixture("a datagram over IPv6 behind a header",
                    to_vip6(60, joined({extension(17), udp(1000, 80)})), flooded),
    steered_fixture("a datagram for no VIP", to_vip(17, udp(1000, 80), {kGatewayIp, kFree}), flooded),
    steered_fixture("a datagram to the clusters group",
                    Ethernet{kWebGroup, kGateway}.wrap(0x0800, Ipv4{kFree, kWebVip}.wrap(17, udp(1000, 80))),
                    steered_away),
    steered_fixture("a heartbeat", Ethernet{kWebGroup, kGateway}.wrap(0x88b5, Frame(46, 0)), passed),
    unsteered_fixture("a datagram to the own MAC",
                      Ethernet{kOwn, kGateway}.wrap(0x0800, Ipv4{kFree, kWebVip}.wrap(17, udp(1, 80)))),
    unsteered_fixture("ARP for the VIP",
                      arp_frame({kRequest, kGateway, kGatewayIp, kNone, kWebVip}, kGateway)),
};
NLB_GUARD_FIXTURES(Steered, guest_receive, kSteered);

const MacAddress kNearest = mac("01:80:c2:00:00:0e");

Frame announcement(const Frame& payload, const MacAddress& to = kNearest) {
  return Ethernet{to, kOwn}.wrap(NLB_ETHERTYPE_POLICY, payload);
}
const Frame kMark = wire::encode_steering_mark(kGeneration, true);

const wire::PortPresence kHere{1, 50, 500, 0x1234, 0x5678};
const wire::FenceNotice kNotice{2, 0x1234, 0x5678};

GuardFixture announced_fixture(
    const char* sentence, const Frame& frame, nlb_guard_reason in_cluster,
    std::function<void(Arrangement&)> arrange = [](Arrangement&) {}) {
  return {sentence, frame, forged_announcement, in_cluster, forged_announcement, std::move(arrange)};
}

const GuardFixture kAnnounced[] = {
    announced_fixture("a members announcement", announcement(kMark), announced),
    announced_fixture("a members announcement with content",
                      announcement(wire::encode_steering(kGeneration, said()).front()), announced),
    announced_fixture("a members presence", announcement(wire::encode(kHere)), announced),
    announced_fixture("a notice of a fence from a guest", announcement(wire::encode(kNotice)),
                      forged_announcement),
    announced_fixture("to the cluster MAC", announcement(kMark, kWebMac), forged_announcement),
    announced_fixture("to everybody", announcement(kMark, kAll), forged_announcement),
    announced_fixture("with a tag", tagged(announcement(kMark), {5}), forged_announcement),
    announced_fixture("with a priority", tagged(announcement(kMark), {0}), forged_announcement),
    announced_fixture("of another magic", announcement(spoiled(kMark, 3, 'P')), forged_announcement),
    announced_fixture("of another version", announcement(spoiled(kMark, 4, 2)), forged_announcement),
    announced_fixture("cut off", cut(announcement(kMark), 29), forged_announcement),
    announced_fixture("of a host in no cluster", announcement(kMark), forged_announcement, member_of({})),
    announced_fixture("of a member of another kind of cluster", announcement(kMark), forged_announcement,
                      [](Arrangement& a) { a.port.host_id = 0; }),
};
NLB_GUARD_FIXTURES(Announced, guest_transmit, kAnnounced);

const GuardFixture kAnnouncedByUplink[] = {
    {"an announcement from elsewhere", announcement(kMark), neighbour_mac, neighbour_mac, neighbour_mac},
    {"an announcement of nobody", Ethernet{kNearest, kGateway}.wrap(NLB_ETHERTYPE_POLICY, kMark),
     forged_announcement, forged_announcement, forged_announcement},
};
NLB_GUARD_FIXTURES(AnnouncedByUplink, uplink_transmit, kAnnouncedByUplink);

// A fenced port: nothing in, nothing out, whatever its policy does with violations; but what is said between
// the guest and its switch.
std::function<void(Arrangement&)> fence(nlb_guard_violation violation) {
  return [violation](Arrangement& a) {
    a.port.flags |= NLB_GUARD_PORT_FENCED;
    a.port.violation = static_cast<uint8_t>(violation);
  };
}
GuardFixture fenced_fixture(const char* sentence, const Frame& frame,
                            nlb_guard_violation violation = NLB_GUARD_VIOLATION_DROP) {
  return {sentence, frame, fenced, fenced, fenced, fence(violation)};
}
GuardFixture through_fence(const char* sentence, const Frame& frame, nlb_guard_reason otherwise,
                           nlb_guard_reason in_cluster) {
  return {sentence, frame, otherwise, in_cluster, otherwise, fence(NLB_GUARD_VIOLATION_DROP)};
}
const Frame kOwnDatagram =
    Ethernet{kGateway, kOwn}.wrap(0x0800, Ipv4{kIp, kGatewayIp}.wrap(17, udp(1000, 53)));
const Frame kOwnHeartbeat = Ethernet{kWebGroup, kOwn}.wrap(0x88b5, Frame(46, 0));

const GuardFixture kFencedOut[] = {
    fenced_fixture("a datagram out of a fenced port", kOwnDatagram),
    fenced_fixture("a datagram out of a fenced port that only reports", kOwnDatagram,
                   NLB_GUARD_VIOLATION_REPORT),
    fenced_fixture("a frame behind two tags out of a fenced port that only reports",
                   tagged(kOwnDatagram, {0, 0}), NLB_GUARD_VIOLATION_REPORT),
    fenced_fixture("a frame that ends within its tag out of a fenced port that only reports",
                   cut(tagged(kOwnDatagram, {5}), 17), NLB_GUARD_VIOLATION_REPORT),
    fenced_fixture("a heartbeat out of a fenced port", kOwnHeartbeat),
    fenced_fixture("a frame with a foreign source out of a fenced port",
                   Ethernet{kGateway, mac("52:54:00:99:99:99")}.wrap(0x0800, Frame(46, 0))),
    through_fence("a presence out of a fenced port", announcement(wire::encode(kHere)), forged_announcement,
                  announced),
};
NLB_GUARD_FIXTURES(FencedOut, guest_transmit, kFencedOut);

const GuardFixture kFencedIn[] = {
    fenced_fixture("a datagram into a fenced port",
                   Ethernet{kOwn, kGateway}.wrap(0x0800, Ipv4{kFree, kIp}.wrap(17, udp(1, 80)))),
    fenced_fixture("a client of the cluster into a fenced port", kNotTaken),
    fenced_fixture("a broadcast into a fenced port",
                   arp_frame({kRequest, kGateway, kGatewayIp, kNone, kWebVip}, kGateway)),
    fenced_fixture("a heartbeat into a fenced port",
                   Ethernet{kWebGroup, kGateway}.wrap(0x88b5, Frame(46, 0))),
    through_fence("an announcement into a fenced port",
                  Ethernet{kNearest, kGateway}.wrap(NLB_ETHERTYPE_POLICY, Frame(46, 0)), passed, passed),
};
NLB_GUARD_FIXTURES(FencedIn, guest_receive, kFencedIn);

void arrange_member() {
  arrange_world(NLB_GUARD_SPOOFING_CLUSTER, [](Arrangement&) {});
}

// The promise that lets a member open its filter: what it says counts from the frame on that says it.
TEST(Steering, a_new_generation_counts_before_anybody_has_read_it) {
  arrange_member();
  in_force();
  EXPECT_EQ(guard().run(web1(), NLB_GUARD_RECEIVE, kNotTaken).reason, steered_away);
  EXPECT_EQ(
      guard()
          .run(web1(), NLB_GUARD_TRANSMIT, announcement(wire::encode_steering_mark(kGeneration + 1, true)))
          .reason,
      announced);
  EXPECT_EQ(guard().run(web1(), NLB_GUARD_RECEIVE, kNotTaken).reason, flooded);
}

TEST(Steering, a_mark_of_the_same_generation_keeps_it_in_force) {
  arrange_member();
  announced_long_ago();
  EXPECT_EQ(guard().run(web1(), NLB_GUARD_RECEIVE, kNotTaken).reason, flooded);
  const auto mark = announcement(wire::encode_steering_mark(kGeneration, false));
  EXPECT_EQ(guard().run(web1(), NLB_GUARD_TRANSMIT, mark).reason, announced);
  EXPECT_EQ(guard().run(web1(), NLB_GUARD_RECEIVE, kNotTaken).reason, steered_away);
}

TEST(Steering, an_announcement_of_one_port_is_none_of_another) {
  arrange_member();
  in_force();
  Frame from_web2 = announcement(wire::encode_steering_mark(kGeneration + 1, true));
  std::copy(kWeb2.octets.begin(), kWeb2.octets.end(), from_web2.begin() + 6);
  EXPECT_EQ(guard().run(web2(), NLB_GUARD_TRANSMIT, from_web2).reason, announced);
  EXPECT_EQ(guard().run(web1(), NLB_GUARD_RECEIVE, kNotTaken).reason, steered_away);
}

TEST(Steering, a_part_comes_to_user_space_as_it_was_sent) {
  arrange_member();
  static_cast<void>(guard().handed_over());
  for (const auto& part : wire::encode_steering(kGeneration, said())) {
    EXPECT_EQ(guard().run(web1(), NLB_GUARD_TRANSMIT, announcement(part)).reason, announced);
    const auto got = guard().handed_over();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->ifindex, web1());
    EXPECT_EQ(Frame(got->payload, got->payload + got->bytes), part);
  }
}

TEST(Steering, an_announcement_goes_nowhere_in_audit_either) {
  arrange_world(NLB_GUARD_SPOOFING_CLUSTER, flags(NLB_GUARD_PORT_AUDIT));
  EXPECT_TRUE(guard().run(web1(), NLB_GUARD_TRANSMIT, announcement(kMark)).dropped);
  in_force();
  const auto outcome = guard().run(web1(), NLB_GUARD_RECEIVE, kNotTaken);
  EXPECT_EQ(outcome.reason, steered_away);
  EXPECT_FALSE(outcome.dropped);
}

TEST(Steering, more_parts_than_a_member_sends_are_a_violation) {
  arrange_member();
  guard().set_used_up(web1(), kSecond);
  EXPECT_EQ(guard().run(web1(), NLB_GUARD_TRANSMIT, announcement(kMark)).reason, announcement_storm);
  EXPECT_EQ(guard().kernel_state(web1()).announced_generation, kGeneration) << "it counts all the same";
}

// The judge of judges: a filter by random rules and buckets, the rows made of it, random flows.
class Flows {
 public:
  explicit Flows(uint64_t seed) : random_(seed) {}

  void arrange() {
    FilterConfig config;
    config.bound = true;
    config.vips = {IpAddress::v4(kWebVip), kWebVip6};
    config.cluster_mac = kWebMac;
    for (uint8_t& octet : config.seed) octet = static_cast<uint8_t>(random_());
    for (std::size_t rules = below(8); rules > 0; --rules) config.rules.push_back(any_rule());
    filter_.emplace(config);
    filter_->set_lease(kSecond);
    filter_->set_find_connection([](const ModelSegment&) { return NLB_VERDICT_held; });
    wire::SteeringContent content;
    content.rules = steering_rules_of(config);
    for (std::size_t slot = 0; slot < kMaxSlots; ++slot) {
      if (slot >= config.rules.size() && slot != kDefaultSlot) continue;
      const SlotStates states = any_states();
      filter_->set_buckets(slot, states);
      content.rows[static_cast<uint8_t>(slot)] = accepting(states);
    }
    guard().set_steering(web1(), kGeneration, content);
    guard().set_announced(web1(), kGeneration, 0);
  }

  Frame frame() {
    const auto client = static_cast<uint16_t>(random_());
    const uint16_t port = below(3) == 0 ? static_cast<uint16_t>(random_()) : any_port();
    const Frame payload = below(2) == 0 ? tcp(client, port, below(2) == 0 ? kSyn : kAck) : udp(client, port);
    const uint8_t protocol = payload.size() >= 20 ? 6 : 17;
    if (below(2) == 0) {
      IpAddress from = kFree6;
      from.octets[15] = static_cast<uint8_t>(random_());
      return Ethernet{kWebMac, kGateway}.wrap(0x86dd, ipv6(from, kWebVip6, protocol, payload));
    }
    Ipv4 header{static_cast<uint32_t>(random_()), kWebVip};
    return to_vip(protocol, payload, header);
  }

  [[nodiscard]] bool accepted(const Frame& frame) {
    const auto verdict = filter_->judge(frame, 0);
    return verdict == NLB_VERDICT_owned || verdict == NLB_VERDICT_held;
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  uint16_t any_port() { return static_cast<uint16_t>(80 + below(8)); }
  PortRule any_rule() {
    PortRule rule;
    if (below(3) == 0) rule.vip = below(2) == 0 ? IpAddress::v4(kWebVip) : kWebVip6;
    rule.first_port = any_port();
    rule.last_port =
        static_cast<uint16_t>(rule.first_port + (below(8) == 0 ? 65535 - rule.first_port : below(4)));
    rule.protocol = static_cast<RuleProtocol>(1 + below(3));
    rule.affinity = static_cast<Affinity>(below(3));
    return rule;
  }
  SlotStates any_states() {
    SlotStates states{};
    for (BucketState& state : states)
      state = below(2) == 0 ? BucketState::foreign : static_cast<BucketState>(below(4));
    return states;
  }

  std::mt19937_64 random_;
  std::optional<FilterModel> filter_;
};

TEST(Steering, what_the_members_filter_accepts_is_never_held_back) {
  const uint64_t seed = std::random_device{}();
  Flows flows(seed);
  arrange_member();
  std::size_t away = 0, delivered = 0, needless = 0;
  for (int world = 0; world < 60; ++world) {
    flows.arrange();
    for (int i = 0; i < 60; ++i) {
      const Frame frame = flows.frame();
      const auto outcome = guard().run(web1(), NLB_GUARD_RECEIVE, frame);
      ASSERT_TRUE(outcome.reason == steered || outcome.reason == steered_away) << reason_name(outcome.reason);
      const bool accepted = flows.accepted(frame);
      ASSERT_FALSE(outcome.dropped && accepted) << "seed " << seed << ", world " << world << ", frame " << i;
      ++(outcome.dropped ? away : delivered);
      needless += !outcome.dropped && !accepted ? 1U : 0U;
    }
  }
  EXPECT_GT(away, 500U);
  EXPECT_GT(delivered, 500U);
  EXPECT_LT(needless, delivered / 2) << "SYNs of buckets that are only held, and no others";
}

}  // namespace
}  // namespace nlb::test
