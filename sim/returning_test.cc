// SPDX-License-Identifier: Apache-2.0
// Extended affinity among several hosts. A thousand random histories of joins, leaves, deaths and drains over
// a sound network, against an oracle that knows only who answered whom, and who lives: it excuses nothing.
#include <gtest/gtest.h>

#include <map>

#include "core/slots.hh"
#include "sim/world.hh"

namespace nlb::sim {
namespace {

constexpr uint32_t kTimeoutS = 8;
constexpr Nanos kTimeout = kTimeoutS * kSecond;

PortRule extended() {
  PortRule rule;
  rule.timeout_s = kTimeoutS;
  return rule;
}

struct Returning : testing::Test {
  World world{7, 50, 10};
  std::map<uint64_t, Port> met;
  void SetUp() override {
    if (std::getenv("NLB_TRACE") != nullptr) world.tell_story();
    world.rules = {extended()};
  }
  void TearDown() override {
    for (const auto& violation : world.violations()) ADD_FAILURE() << violation.text();
  }
  void hosts(std::initializer_list<HostId> ids) {
    for (HostId id : ids) world.add(id);
    ASSERT_TRUE(world.run_until_converged(ids, 3 * kSecond));
  }
  Port visit(uint64_t client) {
    const Port home = world.meet(0, client);
    if (home != 0) world.remember_visit(world.node(home), 0, client);
    return home;
  }
  void all_visit(uint64_t first = 0) {
    for (uint64_t client = first; client < first + 600; ++client) met[client] = visit(client);
  }
  [[nodiscard]] int changed_host(uint64_t first = 0) {
    int changed = 0;
    for (uint64_t client = first; client < first + 600; ++client) changed += visit(client) != met[client];
    return changed;
  }
  void offer_of_3(uint8_t weight) {
    auto offers = world.host(3).settings().offers;
    offers[0] = weight;
    world.perform(3,
                  world.host(3).on_offers(offers, core::Service::in, world.node(3).clock.local(world.now())));
    world.run_for(kSecond);
  }
  [[nodiscard]] std::size_t owned_by(Port port) { return world.host(port).ownership().owned()[0].count(); }
};

TEST_F(Returning, AJoinerGetsWhatNobodyReturnsToAndTheRestAfterTheTimeout) {
  hosts({1, 2});
  all_visit();
  world.add(3);
  ASSERT_TRUE(world.run_until_converged({1, 2, 3}, kSecond));
  EXPECT_EQ(changed_host(), 0);
  EXPECT_GT(owned_by(3), 1000u) << "buckets without a client moved at once";
  EXPECT_TRUE(world.host(1).keeper().keeps_anything());
  EXPECT_EQ(world.host(2).kept_by(1)[0], world.host(1).keeper().kept()[0]) << "all know who keeps what";
  for (int i = 0; i < 5; ++i) {
    world.run_for(kTimeout / 2);
    EXPECT_EQ(changed_host(), 0) << "they return within the timeout, again and again";
  }
  world.run_for(kTimeout + 3 * kSecond);
  EXPECT_FALSE(world.host(1).keeper().keeps_anything());
  EXPECT_NEAR(static_cast<double>(owned_by(3)), kBucketCount / 3.0, 1);
  for (uint32_t bucket = 0; bucket < kBucketCount; ++bucket)
    ASSERT_EQ(world.acceptors(0, bucket).size(), 1u) << bucket;
}

TEST_F(Returning, NewClientsDoNotProlong) {
  hosts({1, 2});
  all_visit();
  world.add(3);
  ASSERT_TRUE(world.run_until_converged({1, 2, 3}, kSecond));
  for (int i = 0; i < 15; ++i) {
    for (uint64_t client = 10'000; client < 40'000; ++client) (void)visit(client);  // every bucket
    world.run_for(kSecond);
  }
  EXPECT_FALSE(world.host(1).keeper().keeps_anything());
  EXPECT_NEAR(static_cast<double>(owned_by(3)), kBucketCount / 3.0, 1);
}

TEST_F(Returning, TheBoundEndsIt) {
  world.max_hold_s = 30;
  hosts({1, 2});
  all_visit();
  world.add(3);
  ASSERT_TRUE(world.run_until_converged({1, 2, 3}, kSecond));
  for (int i = 0; i < 28; ++i) {
    EXPECT_EQ(changed_host(), 0) << i;
    world.run_for(kSecond);
  }
  for (int i = 0; i < 4; ++i) (void)changed_host(), world.run_for(kSecond);
  EXPECT_FALSE(world.host(1).keeper().keeps_anything());
}

// Connections there are held from then on; which these are, no list tells before the socket table is read.
TEST_F(Returning, WhatWasLetGoIsCheckedUntilTheNextHeldList) {
  hosts({1, 2});
  all_visit();
  world.add(3);
  ASSERT_TRUE(world.run_until_converged({1, 2, 3}, kSecond));
  const BucketSet kept = world.host(1).keeper().kept()[0];
  world.plan(*parse_faults("slow-scan@0+60000:1:-:400"));
  int looks = 0;
  for (const Nanos end = world.now() + 2 * kTimeout; world.now() < end; world.run_for(kMillisecond)) {
    if (world.host(1).ownership().live_known()) continue;
    const core::FilterSets sets = world.host(3).filter_sets(0);
    const BucketSet moved = kept & ~world.host(1).keeper().kept()[0] & sets.owned;
    looks += moved.any() ? 1 : 0;
    ASSERT_TRUE((moved & ~sets.checked).none());
  }
  EXPECT_GT(looks, 0);
}

// It owned that beside the table, so it is on no held list; but its connections there outlive its daemon.
TEST_F(Returning, OfWhoDiesWhatItKeptIsHeld) {
  hosts({1, 2});
  all_visit();
  world.add(3);
  ASSERT_TRUE(world.run_until_converged({1, 2, 3}, kSecond));
  world.run_for(2 * kSecond);  // every held list is there
  const BucketSet kept = world.host(1).keeper().kept()[0];
  ASSERT_TRUE(kept.any());
  world.kill_daemon(1);
  ASSERT_TRUE(world.run_until_converged({2, 3}, kSecond));
  EXPECT_TRUE((kept & ~world.host(2).held_by_others(0)).none());
}

TEST_F(Returning, ADrainedHostKeepsNothingAndTheOthersGoOn) {
  hosts({1, 2, 3});
  all_visit();
  world.command(3, core::HostEvent::drainstop);
  world.run_for(kSecond);
  int of_3 = 0;
  for (const auto& [client, before] : met) {
    const Port now = visit(client);
    EXPECT_NE(now, 3);
    EXPECT_TRUE(before == 3 || before == now);
    of_3 += before == 3;
  }
  EXPECT_GT(of_3, 100);
  EXPECT_FALSE(world.host(3).keeper().keeps_anything());
}

TEST_F(Returning, AnotherWeightMovesOnlyWhatNobodyReturnsTo) {
  hosts({1, 2});
  all_visit();
  auto offers = world.host(1).settings().offers;
  offers[0] = 10;
  world.perform(1,
                world.host(1).on_offers(offers, core::Service::in, world.node(1).clock.local(world.now())));
  world.run_for(kSecond);
  EXPECT_EQ(changed_host(), 0);
  offers[0] = 0;
  world.perform(1,
                world.host(1).on_offers(offers, core::Service::in, world.node(1).clock.local(world.now())));
  world.run_for(kSecond);
  EXPECT_EQ(owned_by(1), 0u) << "weight 0 takes nothing, and keeps nothing";
}

TEST_F(Returning, AnIdleConnectionIsItsClientsPresence) {
  hosts({1, 2});
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(world.connect());
  world.add(3);
  ASSERT_TRUE(world.run_until_converged({1, 2, 3}, kSecond));
  const auto kept = world.host(1).keeper().kept()[0];
  EXPECT_TRUE(kept.any());
  world.run_for(3 * kTimeout);
  EXPECT_EQ(world.host(1).keeper().kept()[0], kept);
  world.close_flows(1);
  world.run_for(kTimeout + 5 * kSecond);
  EXPECT_FALSE(world.host(1).keeper().keeps_anything());
}

// The connections in what is let go are held from then on, and nobody resets them.
TEST_F(Returning, ConnectionsOfNewClientsOutliveTheMove) {
  hosts({1, 2});
  all_visit();
  world.add(3);
  ASSERT_TRUE(world.run_until_converged({1, 2, 3}, kSecond));
  for (int i = 0; i < 600; ++i) ASSERT_TRUE(world.connect());  // newcomers, some of them to kept buckets
  world.run_for(kTimeout + 3 * kSecond);
  EXPECT_FALSE(world.host(1).keeper().keeps_anything());
  EXPECT_TRUE(world.host(1).ownership().holds_anything());
  EXPECT_TRUE(world.host(3).held_by_others(0).any());
  EXPECT_FALSE(world.host(3).checks_all()) << "the new held list is here";
  world.run_for(10 * kSecond);
  EXPECT_EQ(world.node(1).flows.size() + world.node(2).flows.size() + world.node(3).flows.size(), 600u);
}

// Two that do not hear each other learn by the third what the other keeps, and when it lets go.
TEST_F(Returning, AListIsPassedOnWhereAPairIsDeaf) {
  hosts({1, 2, 3});
  offer_of_3(10);
  all_visit();
  world.cut_both(1, 2);
  world.run_for(2 * kSecond);
  offer_of_3(100);  // a view of the same three; most of what moves is kept by the two
  ASSERT_TRUE(world.run_until_converged({1, 2, 3}, 2 * kSecond));
  EXPECT_EQ(changed_host(), 0);
  EXPECT_TRUE(world.host(1).keeper().keeps_anything());
  EXPECT_TRUE(world.host(2).keeper().keeps_anything());
  EXPECT_EQ(world.host(2).kept_by(1)[0], world.host(1).keeper().kept()[0]);
  EXPECT_EQ(world.host(1).kept_by(2)[0], world.host(2).keeper().kept()[0]);
  world.run_for(kTimeout + 5 * kSecond);
  for (uint32_t bucket = 0; bucket < kBucketCount; ++bucket)
    ASSERT_EQ(world.acceptors(0, bucket).size(), 1u) << bucket;
  for (HostId id : {HostId{1}, HostId{2}, HostId{3}}) EXPECT_FALSE(world.host(id).keeper().keeps_anything());
}

// A member of a version that knows no kept lists acquires by the table alone.
TEST_F(Returning, BesideAnOlderVersionNothingIsKept) {
  hosts({1, 2});
  all_visit();
  world.knows_no_kept_lists(3);
  world.add(3);
  ASSERT_TRUE(world.run_until_converged({1, 2, 3}, kSecond));
  world.run_for(kSecond);
  EXPECT_NEAR(static_cast<double>(owned_by(3)), kBucketCount / 3.0, 1);
  EXPECT_FALSE(world.host(1).keeper().keeps_anything());
}

// -- histories --

class History {
 public:
  explicit History(uint64_t seed) : random_(seed), world_(seed, 500, 3) {
    world_.rules = {extended()};
    if (std::getenv("NLB_TRACE") != nullptr) world_.tell_story();
    for (HostId id = 1; id <= kHosts; ++id) {
      world_.add(id);
      serves_[id] = true;
    }
    EXPECT_TRUE(world_.run_until_converged({1, 2, 3, 4}, 20 * kSecond));
    for (std::size_t i = 0; i < kClients; ++i) clients_.push_back({random_.next()});
  }

  void run() {
    for (int step = 0; step < kSteps && !testing::Test::HasFailure(); ++step) {
      happen();
      world_.run_for(random_.between(0, 2 * kSecond));
      for (int i = 0; i < kVisits; ++i) visit(clients_[random_.below(kClients)]);
    }
    for (const auto& violation : world_.violations()) ADD_FAILURE() << violation.text();
    end();
  }
  [[nodiscard]] int returns() const { return returns_; }
  [[nodiscard]] int returns_to_kept() const { return to_kept_; }

 private:
  static constexpr HostId kHosts = 4;
  static constexpr std::size_t kClients = 60;
  static constexpr int kSteps = 9, kVisits = 16;
  static constexpr Nanos kListens = 3 * 500 * kMillisecond;  // D
  struct Client {
    uint64_t number = 0;
    HostId host = 0;
    Nanos at = 0;
    bool counts = false;
  };

  // Somebody joins, leaves, dies or is drained; never the last one. What the protocol asks for is left to it:
  // a host serves alone only after it has listened for D, and whose only peer dies has no lease until that
  // one is evicted, so a death leaves two, and nothing else happens until it is noticed.
  void happen() {
    const auto id = static_cast<HostId>(1 + random_.below(kHosts));
    int others = 0;  // that may serve alone: a host listens for D first
    for (HostId other = 1; other <= kHosts; ++other)
      others += other != id && serves_[other] && world_.now() - started_at_[other] > kListens;
    if (world_.now() < missed_until_) return;
    if (!serves_[id]) {
      world_.node(id).kernel_alive ? world_.command(id, core::HostEvent::start) : world_.boot(id);
      serves_[id] = true;
      started_at_[id] = world_.now();
    } else if (others > 0) {
      for (Client& client : clients_)
        if (client.host == id) client.host = 0;  // its host ends: nobody has to remember it
      const uint32_t how = random_.below(others > 1 ? 3 : 2);
      if (how == 2) world_.kill_host(id);
      if (how == 2) missed_until_ = world_.now() + 2 * kListens;
      if (how == 1) world_.command(id, core::HostEvent::stop);
      if (how == 0) world_.command(id, core::HostEvent::drainstop);
      serves_[id] = false;
    }
  }

  // The rule, said once more: who came to this host within the timeout meets it again. A client counts if it
  // came when its bucket was its host's by the table, or has counted there since then.
  void visit(Client& client) {
    const Port met = world_.meet(0, client.number);
    if (met == 0) return;  // nobody answers, just now
    const bool returns = client.host != 0 && world_.now() - client.at < kTimeout;
    if (returns && client.counts) {
      EXPECT_EQ(met, client.host) << "after " << (world_.now() - client.at) / kMillisecond << " ms";
      ++returns_;
    }
    const bool by_table = table_owner(client.number, met) == met;
    to_kept_ += returns && client.counts && !by_table;
    if (!returns || client.host != met) client.counts = by_table;
    client.counts = client.counts || by_table;
    client.host = static_cast<HostId>(met);
    client.at = world_.now();
    world_.remember_visit(world_.node(met), 0, client.number);
  }

  // By the members of the view of whoever answers, and their weights alone. 0 while the view changes.
  [[nodiscard]] HostId table_owner(uint64_t client, Port answers) {
    const auto& host = world_.host(answers);
    if (host.phase() != core::Phase::acquired) return 0;
    std::vector<core::Share> shares;
    for (const auto& member : host.members_offers(host.view().members))
      shares.push_back({member.id, member.takes_new_flows ? kEqualWeight : 0u});
    return core::assign_buckets(shares)[bucket_of(client, 0)];
  }

  // Nobody returns any more: whoever serves has its share.
  void end() {
    world_.run_for(kTimeout + 6 * kSecond);
    std::size_t serving = 0;
    for (HostId id = 1; id <= kHosts; ++id) serving += serves_[id];
    for (HostId id = 1; id <= kHosts; ++id) {
      if (!serves_[id]) continue;
      const auto owned = static_cast<double>(world_.host(id).ownership().owned()[0].count());
      EXPECT_NEAR(owned, static_cast<double>(kBucketCount) / static_cast<double>(serving), 1) << int{id};
    }
  }

  Random random_;
  World world_;
  std::vector<Client> clients_;
  std::array<bool, kHosts + 1> serves_{};
  std::array<Nanos, kHosts + 1> started_at_{};
  Nanos missed_until_ = 0;
  int returns_ = 0, to_kept_ = 0;
};

TEST(Histories, WhoReturnsWithinTheTimeoutMeetsTheSameLivingHost) {
  int returns = 0, to_kept = 0;
  for (uint64_t seed = 1; seed <= 1000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("history " + std::to_string(seed));
    History history(seed);
    history.run();
    returns += history.returns();
    to_kept += history.returns_to_kept();
  }
  EXPECT_GT(returns, 40'000);
  EXPECT_GT(to_kept, 5'000) << "returns that the table alone would have sent elsewhere";
  std::printf("%d returns, %d of them to a kept bucket\n", returns, to_kept);
}

// -- links that are lost and come back --

// Lost twice within 5 s, for longer than it takes to give it up. Held down, it states no view of its own for
// which the other one would wait.
TEST_F(Returning, WhoServesDoesNotWaitForALinkThatFlaps) {
  hosts({1, 2});
  for (int times = 0; times < 2; ++times) {
    world.set_link(1, false);
    world.run_for(kSecond);
    all_visit();
    world.set_link(1, true);
    world.run_for(800 * kMillisecond);
    EXPECT_EQ(changed_host(), 0);
  }
  EXPECT_EQ(world.host(2).view().members, bit_of(2)) << "it holds the other one down";
  EXPECT_EQ(owned_by(2), kBucketCount);
}

// For a moment, shorter than it takes to be noticed. The lease of the other one ends before its link is back:
// it may no longer accept, but keeps what it kept.
TEST_F(Returning, AMomentWithoutALinkDoesNotEndWhatTheOtherOneKeeps) {
  hosts({1, 2});
  world.set_link(1, false);
  world.run_for(kSecond);
  all_visit();
  for (const auto& [client, home] : met) ASSERT_EQ(home, 2);
  world.set_link(1, true);
  ASSERT_TRUE(world.run_until_converged({1, 2}, kSecond));
  EXPECT_EQ(changed_host(), 0);
  world.set_link(1, false);
  world.run_for(450 * kMillisecond);  // L < 450 ms < D
  world.set_link(1, true);
  world.run_for(kSecond);
  EXPECT_EQ(changed_host(), 0);
  EXPECT_TRUE(world.host(2).keeper().keeps_anything());
}

// Hosts lose their links, one at a time or one soon after the other, for a moment or for long, and never all
// of them. Who came to a host within the timeout meets it again unless its link has been lost since.
class Links {
 public:
  Links(uint64_t seed, HostId hosts, bool gateway) : random_(seed), world_(seed, 50, 10), hosts_(hosts) {
    world_.rules = {extended()};
    if (std::getenv("NLB_TRACE") != nullptr) world_.tell_story();
    if (gateway) world_.add_gateway();
    for (HostId id = 1; id <= hosts_; ++id) world_.add(id);
    EXPECT_TRUE(world_.run_until_converged(with_link(), 20 * kSecond));
    for (std::size_t i = 0; i < kClients; ++i) clients_.push_back({random_.next()});
  }

  void run() {
    visit();
    for (int step = 0; step < kSteps && !testing::Test::HasFailure(); ++step) {
      happen();
      const bool settles = random_.below(3) == 0 || world_.run_until_converged(with_link(), 12 * kSecond);
      EXPECT_TRUE(settles) << story_;
      world_.run_for(random_.between(0, 2 * kSecond));
      visit();
    }
    for (const auto& violation : world_.violations()) ADD_FAILURE() << violation.text();
  }
  [[nodiscard]] int returns() const { return returns_; }

 private:
  static constexpr std::size_t kClients = 60;
  static constexpr int kSteps = 12;
  struct Client {
    uint64_t number = 0;
    Port host = 0;
    Nanos at = 0;
  };

  [[nodiscard]] std::set<HostId> with_link() {
    std::set<HostId> all;
    for (HostId id = 1; id <= hosts_; ++id)
      if (!lost_[id]) all.insert(id);
    return all;
  }

  void happen() {
    const auto id = static_cast<HostId>(1 + random_.below(hosts_));
    if (lost_[id]) {
      story_ += " heal " + std::to_string(id);
      world_.set_link(id, true);
      lost_[id] = false;
    } else if (with_link().size() > 1) {
      story_ += " cut " + std::to_string(id);
      world_.set_link(id, false);
      lost_[id] = true;
      for (Client& client : clients_)
        if (client.host == id) client.host = 0;
    }
  }

  void visit() {
    story_ += " visit";
    for (Client& client : clients_) {
      const Port met = world_.meet(0, client.number);
      if (met == 0) continue;  // nobody answers, just now
      const Nanos absent = world_.now() - client.at;
      if (client.host != 0 && absent < kTimeout) {
        EXPECT_EQ(met, client.host) << "after " << absent / kMillisecond << " ms:" << story_;
        ++returns_;
      }
      client.host = met;
      client.at = world_.now();
      world_.remember_visit(world_.node(met), 0, client.number);
    }
  }

  Random random_;
  World world_;
  HostId hosts_;
  std::vector<Client> clients_;
  std::array<bool, kMaxHosts + 1> lost_{};
  std::string story_;
  int returns_ = 0;
};

TEST(Links, WhoReturnsMeetsTheHostWhoseLinkHeld) {
  int returns = 0;
  for (uint64_t seed = 1; seed <= 200 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("history " + std::to_string(seed));
    Links links(seed, static_cast<HostId>(2 + seed % 2), seed % 4 < 2);
    links.run();
    returns += links.returns();
  }
  EXPECT_GT(returns, 60'000);
  std::printf("%d returns\n", returns);
}

}  // namespace
}  // namespace nlb::sim
