// SPDX-License-Identifier: Apache-2.0
// All or nothing, whoever dies: a cluster of four, messages that get lost, and a crash at every single step
// of every host. A crash loses what was not saved; the host comes back with what was.
#include "core/change.hh"

#include <gtest/gtest.h>

#include <memory>
#include <random>

namespace nlb::core {
namespace {

constexpr HostId kHosts = 4;
struct Crash {};

// One host's disk. Every write is a step at which the machine may die, before or after it.
class Disk final : public ChangeStore {
 public:
  Result<std::string> stage(const ChangeOrder& order) override {
    step();
    if (!refusal.empty()) return fail(refusal);
    staged = order.what;
    step();
    return "digest of " + in_force + order.what + difference;
  }
  bool apply(const ChangeOrder& order) override {
    step();
    if (read_only) return false;
    if (staged == order.what) in_force += staged;
    staged.clear();
    step();
    return true;
  }
  void discard(const ChangeOrder&) override {
    step();
    staged.clear();
  }
  Result<void> save(const ChangeRecord& record) override {
    step();
    if (read_only) return fail("read-only file system");
    saved = record;
    step();
    return {};
  }
  void step() {
    if (steps_until_crash > 0 && --steps_until_crash == 0) throw Crash{};
  }

  std::string in_force, staged, refusal, difference;
  ChangeRecord saved;
  bool read_only = false;
  int steps_until_crash = 0;
};

class World {
 public:
  explicit World(uint32_t seed, unsigned loss_percent = 0) : random_(seed), loss_(loss_percent) {
    for (HostId id = 1; id <= kHosts; ++id) start(id);
  }

  void start(HostId id) {
    hosts_[id] = std::make_unique<ClusterChange>(id, disks_[id], disks_[id].saved);
    guarded(id, [&] { take(id, hosts_[id]->resume(now_)); });
  }
  void die(HostId id) { hosts_[id].reset(); }

  template <typename Work>
  bool guarded(HostId id, Work work) {
    try {
      work();
      return true;
    } catch (const Crash&) {
      die(id);
      return false;
    }
  }

  void begin(HostId coordinator, const std::string& what = "rule") {
    const ChangeOrder order{std::to_string(coordinator) + "-" + what, coordinator, 0b1111, what};
    guarded(coordinator, [&] { take(coordinator, hosts_[coordinator]->begin(order, now_)); });
  }

  void take(HostId from, ClusterChange::Output output) {
    for (auto& ask : output.asks) queue_.push_back({from, std::move(ask)});
    for (auto& end : output.ends) ends_.push_back(std::move(end));
    if (auto own = hosts_[from]->settle_own(); !own.ends.empty()) ends_.push_back(own.ends.front());
  }

  // Requests are carried out at most once, as Exchange promises; request or answer may be lost.
  void deliver(HostId from, const ClusterChange::Ask& ask) {
    std::optional<ChangeReply> reply;
    const bool request_lost = lost() || !hosts_[ask.to];
    if (!request_lost) guarded(ask.to, [&] { reply = hosts_[ask.to]->on_message(ask.message, now_); });
    if (!hosts_[from]) return;
    guarded(from, [&] {
      take(from, reply && !lost() ? hosts_[from]->on_reply(ask.to, ask.message, *reply, now_)
                                  : hosts_[from]->on_silence(ask.to, ask.message, "is not heard", now_));
    });
  }

  void run(Nanos time) {
    for (const Nanos end = now_ + time; now_ < end; now_ += 100 * kMillisecond) {
      for (int turn = 0; turn < 8 && !queue_.empty(); ++turn) {
        const std::size_t which = below(static_cast<unsigned>(queue_.size()));
        const auto [from, ask] = queue_[which];
        queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(which));
        if (hosts_[from]) deliver(from, ask);
      }
      for (HostId id = 1; id <= kHosts; ++id)
        if (hosts_[id]) guarded(id, [&] { take(id, hosts_[id]->on_tick(now_)); });
    }
  }

  bool lost() { return below(100) < loss_; }
  unsigned below(unsigned bound) { return std::uniform_int_distribution<unsigned>(0, bound - 1)(random_); }

  void need_one_outcome(const std::string& where) {
    for (HostId id = 1; id <= kHosts; ++id) {
      EXPECT_EQ(disks_[id].in_force, disks_[1].in_force) << "host " << +id << ", " << where;
      EXPECT_EQ(disks_[id].staged, "") << "host " << +id << ", " << where;
      EXPECT_FALSE(hosts_[id]->in_doubt()) << "host " << +id << ", " << where;
    }
    for (const auto& end : ends_) EXPECT_EQ(end.committed, disks_[1].in_force == "rule") << where;
  }

  std::mt19937 random_;
  unsigned loss_;
  Nanos now_ = kSecond;
  std::array<Disk, kHosts + 1> disks_;
  std::array<std::unique_ptr<ClusterChange>, kHosts + 1> hosts_;
  std::vector<std::pair<HostId, ClusterChange::Ask>> queue_;
  std::vector<ClusterChange::End> ends_;
};

TEST(ClusterChange, IsInForceEverywhere) {
  World world(1);
  world.begin(2);
  world.run(5 * kSecond);
  ASSERT_EQ(world.ends_.size(), 1u);
  EXPECT_TRUE(world.ends_[0].committed);
  EXPECT_EQ(world.disks_[4].in_force, "rule");
  world.need_one_outcome("no fault");
}

TEST(ClusterChange, WhoRefusesIsNamedAndNothingChanges) {
  for (int kind = 0; kind < 4; ++kind) {
    World world(2);
    if (kind == 0) world.disks_[3].refusal = "port rules differ";
    if (kind == 1) world.disks_[3].read_only = true;
    if (kind == 2) world.disks_[3].difference = "?";
    if (kind == 3) world.die(3);
    world.begin(1);
    world.run(10 * kSecond);
    world.disks_[3].read_only = false;
    if (kind == 3) world.start(3);
    world.run(10 * kSecond);
    ASSERT_EQ(world.ends_.size(), 1u) << kind;
    EXPECT_FALSE(world.ends_[0].committed) << kind;
    ASSERT_EQ(world.ends_[0].reasons.size(), 1u) << kind;
    EXPECT_EQ(world.ends_[0].reasons.begin()->first, 3) << kind;
    EXPECT_EQ(world.disks_[1].in_force, "") << kind;
    world.need_one_outcome("kind " + std::to_string(kind));
  }
}

// The heart of it: each host dies at each of its steps, and comes back a while later.
TEST(ClusterChange, ACrashAtAnyStepLeavesOneOutcome) {
  int committed = 0, aborted = 0;
  for (unsigned loss : {0u, 25u})
    for (HostId victim = 1; victim <= kHosts; ++victim)
      for (int step = 1; step <= 14; ++step)
        for (uint32_t seed = 1; seed <= 12; ++seed) {
          World world(seed, loss);
          world.disks_[victim].steps_until_crash = step;
          world.begin(1);
          world.run(8 * kSecond);
          world.disks_[victim].steps_until_crash = 0;
          if (!world.hosts_[victim]) world.start(victim);
          world.run(60 * kSecond);
          world.need_one_outcome("loss " + std::to_string(loss) + ", victim " + std::to_string(victim) +
                                 ", step " + std::to_string(step) + ", seed " + std::to_string(seed));
          ++(world.disks_[1].in_force == "rule" ? committed : aborted);
        }
  EXPECT_GT(committed, 200);
  EXPECT_GT(aborted, 200);
}

TEST(ClusterChange, WhoseDiskFailsAfterItHasPreparedFollowsLater) {
  for (HostId victim : {HostId{1}, HostId{3}}) {
    World world(3);
    world.begin(1);
    for (int turn = 0; turn < 3; ++turn) {
      const auto [from, ask] = world.queue_.front();
      world.queue_.erase(world.queue_.begin());
      world.deliver(from, ask);
      if (turn == 1) world.disks_[victim].read_only = victim != 1;
    }
    world.disks_[victim].read_only = victim != 1;
    world.run(20 * kSecond);
    EXPECT_EQ(world.disks_[2].in_force, "rule");
    EXPECT_EQ(world.disks_[victim].in_force, victim == 1 ? "rule" : "");
    world.disks_[victim].read_only = false;
    world.run(20 * kSecond);
    world.need_one_outcome("disk of host " + std::to_string(victim));
    EXPECT_EQ(world.ends_.size(), 1u);
    EXPECT_EQ(world.ends_[0].unconfirmed, victim == 1 ? 0 : bit_of(3));
  }
}

// Its end is told as that of a change that was given up. Those who miss this ask for it later, and must not
// hear anything else.
TEST(ClusterChange, WhatTheCoordinatorCannotWriteDownIsNotDecided) {
  World world(3);
  world.begin(1);
  world.disks_[1].read_only = true;
  while (world.ends_.empty() && !world.queue_.empty()) {
    const auto [from, ask] = world.queue_.front();
    world.queue_.erase(world.queue_.begin());
    world.deliver(from, ask);
  }
  ASSERT_EQ(world.ends_.size(), 1u);
  EXPECT_TRUE(!world.ends_[0].committed && world.ends_[0].reasons.contains(1));
  world.queue_.clear();  // nobody hears of it
  world.disks_[1].read_only = false;
  world.run(20 * kSecond);
  world.need_one_outcome("the coordinator's disk");
  EXPECT_EQ(world.disks_[2].in_force, "");
}

TEST(ClusterChange, TwoCoordinatorsAtOnceNeverMixTheirChanges) {
  int made = 0;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    World world(seed, 20);
    world.begin(1, "a");
    world.begin(2, "b");
    world.run(60 * kSecond);
    for (HostId id = 1; id <= kHosts; ++id) {
      EXPECT_EQ(world.disks_[id].in_force, world.disks_[1].in_force) << "seed " << seed;
      EXPECT_FALSE(world.hosts_[id]->in_doubt()) << "seed " << seed;
    }
    made += !world.disks_[1].in_force.empty();
  }
  EXPECT_GT(made, 0);
}

TEST(ClusterChange, WhoWasAskedForTheOutcomeOfWhatItNeverPreparedPreparesItNoMore) {
  World world(4);
  const ChangeOrder order{"1-late", 1, 0b1111, "rule"};
  EXPECT_EQ(world.hosts_[3]->on_message({ChangeMessage::Verb::outcome, order}, 0).state,
            ChangeState::aborted);
  EXPECT_EQ(world.hosts_[3]->on_message({ChangeMessage::Verb::prepare, order}, 0).state,
            ChangeState::aborted);
  world.start(3);  // and after a restart
  EXPECT_EQ(world.hosts_[3]->on_message({ChangeMessage::Verb::prepare, order}, 0).state,
            ChangeState::aborted);
}

TEST(ClusterChange, WithoutTheCoordinatorTheOthersWaitUntilItIsForgotten) {
  World world(9);
  world.begin(1);
  for (int turn = 0; turn < 3; ++turn) {  // all prepare; the answers are on their way
    const auto [from, ask] = world.queue_.front();
    world.queue_.erase(world.queue_.begin());
    ASSERT_EQ(world.hosts_[ask.to]->on_message(ask.message, world.now_).state, ChangeState::prepared);
  }
  world.die(1);
  world.run(30 * kSecond);
  for (HostId id = 2; id <= kHosts; ++id) EXPECT_TRUE(world.hosts_[id]->in_doubt());
  world.begin(2, "other");
  ASSERT_EQ(world.ends_.size(), 1u);
  EXPECT_NE(world.ends_[0].reasons[2].find("nlb forget 1"), std::string::npos);
  for (HostId id = 2; id <= kHosts; ++id) world.hosts_[id]->forget(1);
  world.run(10 * kSecond);
  for (HostId id = 2; id <= kHosts; ++id) EXPECT_FALSE(world.hosts_[id]->in_doubt());
  world.start(1);
  world.run(10 * kSecond);
  EXPECT_EQ(world.disks_[2].in_force, "");
  EXPECT_EQ(world.disks_[1].in_force, "");
}

}  // namespace
}  // namespace nlb::core
