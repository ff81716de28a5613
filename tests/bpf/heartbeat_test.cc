// SPDX-License-Identifier: Apache-2.0
// Whose heartbeats pass, and how many of the others.
#include "heartbeats.hh"

#include <nlb/abi/heartbeat.h>

#include <set>

#include "fixtures.hh"
#include "packets6.hh"

namespace nlb::test {
namespace {

constexpr uint16_t kType = 0x88b5;
const Ethernet kToGroup{mac("03:bf:0a:00:00:0a"), mac("52:54:00:00:00:03")};

Speaker numbered(uint64_t sequence) {
  return {kBelieved.id, kBelieved.incarnation, sequence};
}
Frame said(const Speaker& speaker) {
  return kToGroup.wrap(kType, heartbeat(speaker));
}
Frame spoiled(Frame frame, std::size_t payload_octet) {
  frame[14 + payload_octet] ^= 1;
  return frame;
}
Frame cut(Frame frame, std::size_t octets) {
  frame.resize(frame.size() - octets);
  return frame;
}
Frame padded(Frame frame, std::size_t octets) {
  frame.resize(frame.size() + octets, 0xee);
  return frame;
}
void spent(Arrangement& arrangement) {
  arrangement.budgets_spent = true;
}
const Frame kNext = said(numbered(101));
constexpr std::size_t kTagAt = 44 + 144 + 16;

// In IP, for a VIP.
Frame carried(uint32_t to, uint8_t hops, uint16_t fragment = 0, std::size_t options = 0) {
  Frame packet = Ipv4{ip("10.0.0.2"), to, 1, fragment, options}.wrap(253, heartbeat(numbered(101)));
  packet[8] = hops;
  return kToGroup.wrap(0x0800, packet);
}
Frame carried6(const char* to, uint8_t hops) {
  return kToGroup.wrap(0x86dd, ipv6(ip6("2001:db8::7"), ip6(to), 253, heartbeat(numbered(101)), hops));
}
void igmp(Arrangement& arrangement) {
  arrangement.budgets_spent = true;
  arrangement.config.mode = ClusterMode::igmp;
  arrangement.config.cluster_mac = kIgmpMac;
}
// In IP, to the group of mode igmp.
Frame to_all(uint8_t hops, uint32_t to = kIgmpGroup, uint32_t from = ip("10.0.0.2"), uint16_t fragment = 0) {
  Frame packet = Ipv4{from, to, 1, fragment}.wrap(253, heartbeat(numbered(101)));
  packet[8] = hops;
  return Ethernet{kIgmpMac, kToGroup.from}.wrap(0x0800, packet);
}
void unbound(Arrangement& arrangement) {
  arrangement.budgets_spent = true;
  arrangement.config.bound = false;
}

const Fixture kHeartbeats[] = {
    {"one in IPv4 for a VIP passes", carried(ip("10.0.0.10"), 255), NLB_VERDICT_heartbeat, spent},
    {"one in IPv6 for a VIP passes", carried6("2001:db8::10", 255), NLB_VERDICT_heartbeat, spent},
    {"one in IP passes before the host is bound", carried(ip("10.0.0.10"), 255), NLB_VERDICT_heartbeat,
     unbound},
    {"one in IP that a router passed on is no heartbeat", carried(ip("10.0.0.10"), 254),
     NLB_VERDICT_not_bound, unbound},
    {"one in IPv6 that a router passed on is no heartbeat", carried6("2001:db8::10", 254),
     NLB_VERDICT_not_bound, unbound},
    {"one in IP for somebody else is no heartbeat", carried(ip("10.0.0.77"), 255), NLB_VERDICT_passed, spent},
    {"one in a fragment of IP is no heartbeat", carried(ip("10.0.0.10"), 255, 0x2000), NLB_VERDICT_not_bound,
     unbound},
    {"one behind IP options is no heartbeat", carried(ip("10.0.0.10"), 255, 0, 4), NLB_VERDICT_not_bound,
     unbound},
    {"one in IP to the group of mode igmp passes", to_all(1), NLB_VERDICT_heartbeat, igmp},
    {"one to the group from a host without an address passes", to_all(1, kIgmpGroup, 0),
     NLB_VERDICT_heartbeat, igmp},
    {"one to the group that a router would pass on is no heartbeat", to_all(2), NLB_VERDICT_not_vip, igmp},
    {"one to the group with the hop limit of those for a VIP is no heartbeat", to_all(255),
     NLB_VERDICT_not_vip, igmp},
    {"one to another clusters group is no heartbeat", to_all(1, ip("239.255.0.11")), NLB_VERDICT_not_vip,
     igmp},
    {"one to the group in a fragment is no heartbeat", to_all(1, kIgmpGroup, ip("10.0.0.2"), 0x2000),
     NLB_VERDICT_not_vip, igmp},
    {"one for a VIP with the hop limit of the group is no heartbeat", to_all(1, ip("10.0.0.10")),
     NLB_VERDICT_not_bound,
     [](Arrangement& arrangement) {
       igmp(arrangement);
       arrangement.config.bound = false;
     }},
    {"one to the group in another mode is no heartbeat", to_all(1), NLB_VERDICT_passed, spent},
    {"a spoiled one to the group is a strangers", spoiled(to_all(1), 20 + 40), NLB_VERDICT_heartbeat_excess,
     igmp},
    {"a spoiled one in IP is a strangers", spoiled(carried(ip("10.0.0.10"), 255), 20 + 40),
     NLB_VERDICT_heartbeat_excess, spent},
    {"a believed hosts next heartbeat passes when nothing is left", kNext, NLB_VERDICT_heartbeat, spent},
    {"a number far ahead passes", said(numbered(1'000'000)), NLB_VERDICT_heartbeat, spent},
    {"a believed hosts newest number again has a budget", said(numbered(100)), NLB_VERDICT_heartbeat},
    {"its newest number again is a replay beyond it", said(numbered(100)), NLB_VERDICT_heartbeat_replayed,
     spent},
    {"an older number is a replay beyond it", said(numbered(99)), NLB_VERDICT_heartbeat_replayed, spent},
    {"one with a priority tag passes",
     Ethernet{kToGroup.to, kToGroup.from, {0}}.wrap(kType, heartbeat(numbered(101))), NLB_VERDICT_heartbeat,
     spent},
    {"the largest frame passes",
     kToGroup.wrap(kType, heartbeat(numbered(101), tag_key(), 1500 - 44 - 16 - 8)), NLB_VERDICT_heartbeat,
     spent},
    {"padding behind the tag does not matter", padded(kNext, 4), NLB_VERDICT_heartbeat, spent},
    {"another incarnation has a budget", said({3, 1, 5}), NLB_VERDICT_heartbeat},
    {"another incarnation beyond its budget does not pass", said({3, 1, 5}), NLB_VERDICT_heartbeat_excess,
     spent},
    {"another host with that incarnation is another sender", said({4, kBelieved.incarnation, 101}),
     NLB_VERDICT_heartbeat_excess, spent},
    {"a host id that cannot be does not pass", said({65, 1, 5}), NLB_VERDICT_heartbeat_excess},
    {"a changed number is a strangers", spoiled(kNext, 40), NLB_VERDICT_heartbeat_excess, spent},
    {"a changed signature is a strangers", spoiled(kNext, kTagAt - 1), NLB_VERDICT_heartbeat_excess, spent},
    {"a changed tag is a strangers", spoiled(kNext, kTagAt), NLB_VERDICT_heartbeat_excess, spent},
    {"a changed length is a strangers", spoiled(kNext, 9), NLB_VERDICT_heartbeat_excess, spent},
    {"a frame without its tag is a strangers", cut(kNext, 8), NLB_VERDICT_heartbeat_excess, spent},
    {"a frame whose tag is cut is a strangers", cut(kNext, 1), NLB_VERDICT_heartbeat_excess, spent},
    {"another clusters frame is a strangers", kToGroup.wrap(kType, heartbeat(numbered(101), other_tag_key())),
     NLB_VERDICT_heartbeat_excess, spent},
    {"a stranger has a budget", kToGroup.wrap(kType, Frame(60, 1)), NLB_VERDICT_heartbeat},
    {"a header alone is a strangers", kToGroup.wrap(kType, Frame(44, 0xff)), NLB_VERDICT_heartbeat_excess,
     spent},
    {"less than a header is a strangers", kToGroup.wrap(kType, Frame(43, 0xff)), NLB_VERDICT_heartbeat_excess,
     spent},
};
NLB_FIXTURES(Heartbeats, kHeartbeats);

class HeartbeatGates : public testing::Test {
 protected:
  HeartbeatGates() {
    bpf_.configure(example_config());
    bpf_.set_budgets(false);
    bpf_.heartbeats().set_keys(std::array{tag_key()});
    bpf_.heartbeats().forget_senders();
    bpf_.heartbeats().believe(kBelieved.id, kBelieved.incarnation, kBelieved.sequence);
  }
  uint32_t judge(const Frame& frame, Hook hook = Hook::ingress) { return bpf_.run(hook, frame).verdict; }
  // How many of so many frames in a row pass.
  int passing(const Frame& frame, int count) {
    int passed = 0;
    for (int i = 0; i < count; ++i) passed += judge(frame) == NLB_VERDICT_heartbeat ? 1 : 0;
    return passed;
  }
  static MacAddress stranger_mac(uint8_t last) { return {{0x52, 0x54, 0, 0, 1, last}}; }
  static Frame stranger(uint8_t last) {
    return Ethernet{kToGroup.to, stranger_mac(last)}.wrap(kType, Frame(60, 1));
  }
  Harness& bpf_ = harness();
};

TEST_F(HeartbeatGates, tc_remembers_the_number_and_xdp_only_looks) {
  bpf_.set_budget(NLB_BUDGET_REPLAYED + kBelieved.id, true);
  EXPECT_EQ(judge(kNext, Hook::xdp), NLB_VERDICT_heartbeat);
  EXPECT_EQ(judge(kNext, Hook::xdp), NLB_VERDICT_heartbeat);
  EXPECT_EQ(judge(kNext), NLB_VERDICT_heartbeat);
  EXPECT_EQ(judge(kNext), NLB_VERDICT_heartbeat_replayed);
  EXPECT_EQ(judge(kNext, Hook::xdp), NLB_VERDICT_heartbeat_replayed);
  EXPECT_EQ(judge(said(numbered(102))), NLB_VERDICT_heartbeat);
}

TEST_F(HeartbeatGates, a_stranger_gets_his_budget_and_no_more) {
  const Nanos began = boot_now();
  const int passed = passing(stranger(1), 600);
  EXPECT_GE(passed, 256);
  EXPECT_LE(passed, 256 + static_cast<int>((boot_now() - began) / kMillisecond) + 1);
}

TEST_F(HeartbeatGates, strangers_do_not_take_each_others_and_nobody_a_newcomers) {
  std::set<uint32_t> slots;
  for (uint8_t last = 0; last < 64; ++last) {
    const MacAddress from = stranger_mac(last);
    slots.insert(nlb_stranger_budget(0x0706050403020100, 0x0f0e0d0c0b0a0908, from.octets.data()));
  }
  EXPECT_GE(slots.size(), 30U) << "they spread";
  const uint32_t first =
      nlb_stranger_budget(0x0706050403020100, 0x0f0e0d0c0b0a0908, stranger_mac(1).octets.data());
  bpf_.set_budget(first, true);
  for (const Hook hook : {Hook::xdp, Hook::ingress}) {
    EXPECT_EQ(judge(stranger(1), hook), NLB_VERDICT_heartbeat_excess);
    EXPECT_EQ(judge(stranger(2), hook), NLB_VERDICT_heartbeat);
    EXPECT_EQ(judge(said({5, 1, 1}), hook), NLB_VERDICT_heartbeat);
  }
}

TEST_F(HeartbeatGates, replays_of_a_former_life_contest_the_return_of_that_host_alone) {
  bpf_.set_budget(NLB_BUDGET_NEWCOMER + 3, true);
  EXPECT_EQ(judge(said({3, 1, 5})), NLB_VERDICT_heartbeat_excess);
  EXPECT_EQ(judge(said({4, 1, 5})), NLB_VERDICT_heartbeat);
  EXPECT_EQ(judge(stranger(1)), NLB_VERDICT_heartbeat);
  EXPECT_EQ(judge(kNext), NLB_VERDICT_heartbeat);
  EXPECT_EQ(judge(kNext), NLB_VERDICT_heartbeat) << "and what is replayed has a budget apart from it";
}

TEST_F(HeartbeatGates, all_strangers_together_have_a_limit_that_no_member_meets) {
  bpf_.set_budget(NLB_BUDGET_ALL_STRANGERS, true);
  for (uint8_t last = 0; last < 20; ++last) EXPECT_EQ(judge(stranger(last)), NLB_VERDICT_heartbeat_excess);
  EXPECT_EQ(judge(said({4, 1, 5})), NLB_VERDICT_heartbeat);
  EXPECT_EQ(judge(kNext), NLB_VERDICT_heartbeat);
}

TEST_F(HeartbeatGates, a_new_incarnation_takes_the_place_of_the_old_one) {
  bpf_.heartbeats().believe(kBelieved.id, 77, 10);
  bpf_.set_budgets(true);
  EXPECT_EQ(judge(said({kBelieved.id, 77, 11})), NLB_VERDICT_heartbeat);
  EXPECT_EQ(judge(said({kBelieved.id, 77, 11})), NLB_VERDICT_heartbeat_replayed);
  EXPECT_EQ(judge(said(numbered(200))), NLB_VERDICT_heartbeat_excess);
}

TEST_F(HeartbeatGates, keys_that_are_gone_open_nothing) {
  bpf_.set_budgets(true);
  bpf_.heartbeats().set_keys(std::array{other_tag_key(), tag_key()});
  EXPECT_EQ(judge(said(numbered(101))), NLB_VERDICT_heartbeat);
  bpf_.heartbeats().set_keys(std::array{other_tag_key()});
  EXPECT_EQ(judge(said(numbered(102))), NLB_VERDICT_heartbeat_excess);
  EXPECT_EQ(judge(kToGroup.wrap(kType, heartbeat(numbered(102), other_tag_key()))), NLB_VERDICT_heartbeat);
}

}  // namespace
}  // namespace nlb::test
