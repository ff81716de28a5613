// SPDX-License-Identifier: Apache-2.0
// Health checks as the cluster sees them: a host that fails one takes no new flows of the rule, and keeps
// what it has; when all fail it, what was configured is done, by every host alike.
#include <gtest/gtest.h>

#include "sim/world.hh"

namespace nlb::sim {
namespace {

enum How : int64_t { well = -1, rule_out = 0, rule_as_last = 1, host_out = 2, host_as_last = 3 };

struct Unhealthy : testing::Test {
  World world{7, 50, 10};
  void SetUp() override {
    PortRule web, mail;
    web.first_port = web.last_port = 80;
    mail.first_port = mail.last_port = 25;
    mail.mode = FilteringMode::single;
    world.rules = {web, mail};
    for (const HostId id : {HostId{1}, HostId{2}, HostId{3}}) world.add(id);
    ASSERT_TRUE(world.run_until_converged({1, 2, 3}, 3 * kSecond));
    for (int i = 0; i < 90; ++i) ASSERT_TRUE(world.connect());
  }
  void TearDown() override {
    for (const auto& violation : world.violations()) ADD_FAILURE() << violation.text();
  }
  void become(HostId id, How how) {
    world.node(id).unhealthy = how;
    const auto now = world.settings(id);
    world.perform(id, world.host(id).on_offers(now.offers, now.service, world.now()));
    world.run_for(200 * kMillisecond);
    ASSERT_TRUE(world.run_until_converged({1, 2, 3}, kSecond));
  }
  // Who takes new flows of the slot; every bucket has at most one owner, by one-owner.
  std::set<HostId> served_by(std::size_t slot) {
    std::set<HostId> owners;
    for (uint32_t bucket = 0; bucket < kBucketCount; ++bucket) {
      const auto acceptors = world.acceptors(slot, bucket);
      if (acceptors.empty()) owners.insert(0);
      for (const HostId id : acceptors) owners.insert(id);
    }
    return owners;
  }
};
using Hosts = std::set<HostId>;

TEST_F(Unhealthy, ARuleLeavesTheHostAndItsConnectionsDoNot) {
  const auto flows = world.node(1).flows.size();
  become(1, rule_out);
  EXPECT_EQ(served_by(0), (Hosts{2, 3}));
  EXPECT_EQ(served_by(1), Hosts{1}) << "the other rule stays";
  EXPECT_EQ(served_by(kEchoSlot), (Hosts{1, 2, 3}));
  EXPECT_EQ(world.host(2).default_host(), 1);
  EXPECT_EQ(world.node(1).flows.size(), flows) << "keep-flow";
  become(1, well);
  EXPECT_EQ(served_by(0), (Hosts{1, 2, 3}));
}

TEST_F(Unhealthy, AHostLeavesAllItsRules) {
  become(1, host_out);
  EXPECT_EQ(served_by(0), (Hosts{2, 3}));
  EXPECT_EQ(served_by(1), Hosts{2}) << "the next handling priority";
  EXPECT_EQ(served_by(kEchoSlot), (Hosts{2, 3}));
  EXPECT_EQ(served_by(kDefaultSlot), Hosts{2});
  EXPECT_EQ(world.host(1).default_host(), 2) << "every host knows";
  become(1, well);
  EXPECT_EQ(served_by(1), Hosts{1});
}

TEST_F(Unhealthy, AHostWhoseRulesAreDrainedLeavesWhatIsNoRulesTraffic) {
  auto offers = world.settings(1).offers;
  offers[0] = offers[1] = wire::kOfferDrained;
  for (const auto service : {core::Service::in, core::Service::out}) {
    world.perform(1, world.host(1).on_offers(offers, service, world.now()));
    world.run_for(200 * kMillisecond);
    const bool in = service == core::Service::in;
    EXPECT_EQ(served_by(kEchoSlot), in ? (Hosts{1, 2, 3}) : (Hosts{2, 3}));
    EXPECT_EQ(served_by(kDefaultSlot), Hosts{in ? HostId{1} : HostId{2}});
  }
}

TEST_F(Unhealthy, WhenAllAreOutNobodyServes) {
  for (const HostId id : {HostId{1}, HostId{2}, HostId{3}}) become(id, rule_out);
  EXPECT_EQ(served_by(0), Hosts{0});
  EXPECT_EQ(served_by(1), Hosts{1});
  for (const HostId id : {HostId{1}, HostId{2}, HostId{3}}) become(id, host_out);
  EXPECT_EQ(served_by(kEchoSlot), Hosts{0});
  EXPECT_EQ(world.host(2).default_host(), 0);
  become(3, well);
  for (const std::size_t slot : {std::size_t{0}, std::size_t{1}, kEchoSlot, kDefaultSlot})
    EXPECT_EQ(served_by(slot), Hosts{3}) << slot;
}

TEST_F(Unhealthy, WhenAllAreOutAndFailOpenTheyServeAsIfWell) {
  become(1, rule_as_last);
  EXPECT_EQ(served_by(0), (Hosts{2, 3})) << "not yet the last";
  become(2, rule_as_last);
  EXPECT_EQ(served_by(0), Hosts{3});
  become(3, rule_as_last);
  EXPECT_EQ(served_by(0), (Hosts{1, 2, 3}));
  become(2, well);
  EXPECT_EQ(served_by(0), Hosts{2});
}

TEST_F(Unhealthy, WhoFailsClosedStaysOutBesideThoseWhoFailOpen) {
  become(1, rule_out);
  become(2, rule_as_last);
  become(3, rule_as_last);
  EXPECT_EQ(served_by(0), (Hosts{2, 3}));
}

TEST_F(Unhealthy, HostsThatFailOpenKeepTheirPriorities) {
  for (const HostId id : {HostId{1}, HostId{2}, HostId{3}}) become(id, host_as_last);
  EXPECT_EQ(served_by(1), Hosts{1});
  EXPECT_EQ(served_by(kEchoSlot), (Hosts{1, 2, 3}));
  EXPECT_EQ(world.host(3).default_host(), 1);
  world.perform(1, world.host(1).command(core::HostEvent::drainstop, world.now()));
  world.run_for(200 * kMillisecond);
  EXPECT_EQ(served_by(1), Hosts{2}) << "a draining host is none that serves as last";
}

TEST_F(Unhealthy, TwoHostsWithOneHandlingPriorityAreNamedOnceAndTheLowerIdServes) {
  std::vector<std::string> told;
  world.on_notice = [&](HostId id, const core::Notice& notice) {
    if (id == 3 && notice.kind == core::Notice::Kind::duplicate_priority) told.push_back(notice.text);
  };
  const auto offer = [&](HostId id, uint8_t priority) {
    auto offers = world.settings(id).offers;
    offers[1] = priority;
    world.perform(id, world.host(id).on_offers(offers, core::Service::in, world.now()));
    world.run_for(200 * kMillisecond);
    ASSERT_TRUE(world.run_until_converged({1, 2, 3}, kSecond));
  };
  offer(1, 9);
  offer(2, 9);
  offer(3, 9);
  EXPECT_EQ(told, std::vector<std::string>{
                      "hosts 1 and 2 have the handling priority 9 both; host 1 goes before host 2"});
  EXPECT_EQ(served_by(1), Hosts{1});
  offer(1, wire::kOfferDrained);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_NE(told.back().find("hosts 2 and 3"), std::string::npos) << told.back();
  EXPECT_EQ(served_by(1), Hosts{2});
  offer(3, 8);
  EXPECT_EQ(told.size(), 2u);
  EXPECT_EQ(served_by(1), Hosts{3});
}

TEST_F(Unhealthy, ItIsToldOnceWhenAllAreOutAndOnceWhenOneIsBack) {
  int unserved = 0, served = 0;
  world.on_notice = [&](HostId id, const core::Notice& notice) {
    if (id != 2) return;
    unserved += notice.kind == core::Notice::Kind::rule_unserved && notice.slot == 0;
    served += notice.kind == core::Notice::Kind::rule_served && notice.slot == 0;
  };
  for (const HostId id : {HostId{1}, HostId{2}, HostId{3}}) become(id, rule_out);
  EXPECT_EQ(unserved, 1);
  become(1, well);
  become(3, well);
  EXPECT_EQ(unserved, 1);
  EXPECT_EQ(served, 1);
}

}  // namespace
}  // namespace nlb::sim
