// SPDX-License-Identifier: Apache-2.0
// Hosts that are heard and do not hear, and recordings: the frames of both echo nothing. Who would begin to
// serve beside such a sender asks its kernel (core/unproven_owners.hh).
#include <bit>
#include <functional>
#include <map>
#include <utility>

#include "sim/scenario.hh"

namespace nlb::sim {
namespace {

struct Unheard : Serving {
  std::map<HostId, int> told;
  void SetUp() override {
    Serving::SetUp();
    world.on_notice = [this](HostId id, const core::Notice& notice) {
      if (notice.kind == core::Notice::Kind::echo_missing) ++told[id];
    };
  }
  [[nodiscard]] int twice() {
    int buckets = 0;
    for (uint32_t bucket = 0; bucket < kBucketCount; ++bucket)
      buckets += world.acceptors(0, bucket).size() > 1 ? 1 : 0;
    return buckets;
  }
  void expect_one_owner(Nanos time) {
    for (const Nanos from = world.now(), end = from + time; world.now() < end;) {
      world.run_for(50 * kMillisecond);
      ASSERT_EQ(twice(), 0) << "after " << (world.now() - from) / kMillisecond << " ms";
    }
  }
  // Host 2 comes back; none of `others` gets a heartbeat of it.
  void boot_unheard(std::initializer_list<Port> others) {
    for (const Port other : others) world.filter(2, other);
    world.boot(2);
  }
};

TEST_F(Unheard, WhoStartsSaysThatNobodyEchoesIt) {
  hosts(1);
  world.cut(2, 1);
  world.add(2);
  world.run_for(2 * kSecond);
  EXPECT_TRUE(told.empty()) << "too soon";
  world.run_for(8 * kSecond);
  EXPECT_EQ(told, (std::map<HostId, int>{{2, 1}}));
}

TEST_F(Unheard, IsNobodyBesideAStoppedHostOrANamesake) {
  hosts(3);
  world.command(2, core::HostEvent::stop);
  world.restart_daemon(3);
  world.run_for(8 * kSecond);
  world.command(2, core::HostEvent::start);
  plan("duplicate-id@100+10000:1");
  world.run_for(12 * kSecond);
  EXPECT_TRUE(told.empty());
}

// What it hears may be recordings, but the kernel of the one who says that it serves is there.
TEST_F(Unheard, WhoStartsDoesNotServeBesideAnOwnerWhoseKernelAnswers) {
  hosts(1);
  world.filter(2, 1);
  world.add(2);
  expect_one_owner(10 * kSecond);
  EXPECT_EQ(told, (std::map<HostId, int>{{2, 1}}));
  world.heal();
  EXPECT_TRUE(world.run_until_converged({1, 2}, kSecond));
}

TEST_F(Unheard, WhoStartsServesWhenTheOwnerIsGone) {
  hosts(1);
  world.filter(2, 1);
  world.add(2);
  world.run_for(3 * kSecond);
  world.kill_host(1);
  EXPECT_TRUE(world.run_until_converged({2}, kSecond));
}

TEST_F(Unheard, TheOwnersMayChangeTheirView) {
  hosts(3);
  world.kill_host(2);
  world.run_for(2 * kSecond);
  boot_unheard({1, 3});
  for (int change = 0; change < 4; ++change) {
    plan("weight@0+2000:3:-:41");
    expect_one_owner(4 * kSecond);
  }
}

TEST_F(Unheard, AStoppedHostThatHearsItIsNoCompany) {
  hosts(3);
  world.command(3, core::HostEvent::stop);
  world.kill_host(2);
  world.run_for(3 * kSecond);
  boot_unheard({1});
  expect_one_owner(6 * kSecond);
}

TEST_F(Unheard, AHostWithAnotherConfigurationThatHearsItIsNoCompany) {
  hosts(4);
  plan("config@0+600000:3");
  world.kill_host(2);
  world.run_for(3 * kSecond);
  boot_unheard({1, 4});
  expect_one_owner(10 * kSecond);
}

// It goes on within its lease as its predecessor, which the other had heard.
TEST_F(Unheard, WhoResumesGivesWay) {
  hosts(2);
  world.run_for(3 * kSecond);
  world.filter(2, 1);
  plan("crash@0+60:2");
  expect_one_owner(6 * kSecond);
}

// It is in a view of its own, and takes nobody: nobody would serve.
struct OwnerOfNothing : Unheard, testing::WithParamInterface<const char*> {};

TEST_P(OwnerOfNothing, IsNotWaitedFor) {
  hosts(1);
  world.connect();
  plan(GetParam());
  world.run_for(2 * kSecond);
  world.filter(2, 1);
  world.add(2);
  world.run_for(5 * kSecond);
  EXPECT_GT(share_served(5 * kSecond), 0.99);
}

INSTANTIATE_TEST_SUITE_P(For, OwnerOfNothing,
                         testing::Values("drain@0+600000:1", "unhealthy@0+600000:1:-:2"));

TEST_F(Unheard, WhoHasDrainedEveryRuleIsNotWaitedFor) {
  hosts(1);
  std::array<uint8_t, kMaxRules> offers{};
  offers.fill(wire::kOfferDrained);
  world.perform(1, world.host(1).on_offers(offers, core::Service::in, world.now()));
  world.filter(2, 1);
  world.add(2);
  world.run_for(3 * kSecond);
  EXPECT_GT(share_served(5 * kSecond), 0.99);
}

TEST_F(Unheard, AnOwnerIsNotDisturbed) {
  hosts(2);
  world.kill_host(2);
  world.run_for(2 * kSecond);
  world.filter(1, 2);
  world.boot(2);
  for (int i = 0; i < 100; ++i) {
    world.run_for(50 * kMillisecond);
    for (uint32_t bucket = 0; bucket < kBucketCount; bucket += 61)
      ASSERT_TRUE(world.node(1).accepts(0, bucket, world.now()));
  }
}

// Its daemon's frames are sent again, and its kernel is not there.
TEST_F(Unheard, RecordingsOfTheDeadHoldNobodyUp) {
  hosts(2);
  world.run_for(3 * kSecond);
  world.kill_host(2);
  plan("replay@0+60000:2");
  world.run_for(2 * kSecond);
  for (int i = 0; i < 10; ++i) {
    world.restart_daemon(1);
    EXPECT_TRUE(world.run_until_converged({1}, 1500 * kMillisecond)) << i;
    world.run_for(kSecond);
  }
}

// ---- one host, and who sends it recordings whenever he likes ----

core::Settings settings_of(HostId id, uint64_t incarnation, uint8_t adapter) {
  core::Settings settings;
  settings.id = id;
  settings.incarnation = incarnation;
  settings.digests.period_ms = 50;
  settings.digests.tolerance = 10;
  settings.rules = {PortRule{}};
  settings.offers[0] = wire::kOfferEqual;
  settings.dedicated_ip = IpAddress::v4(0x0a4d0100U + adapter);
  settings.adapter_mac = MacAddress{{0x52, 0x54, 0, 0, 0, adapter}};
  return settings;
}

struct Machine {
  core::Host host;
  std::vector<wire::Frame> said;
  std::vector<core::KernelProbe> asked;

  Machine(const core::Settings& settings, Nanos now) : host(settings, now) {
    (void)host.on_bind(true, "", now);
    (void)host.command(core::HostEvent::start, now);
  }
  void take(const core::Actions& actions, Nanos now) {
    for (const auto& send : actions.sends) said.push_back(send.frame);
    for (const auto& probe : actions.probes) asked.push_back(probe);
    if (actions.scan) take(host.on_scan(*actions.scan, core::SlotBuckets(kMaxSlots), 0, now), now);
  }
  void hear(const std::vector<wire::Frame>& frames, Nanos now) {
    for (const auto& frame : frames) take(host.on_frame(frame, now), now);
  }
  void run(Nanos now) {
    if (now >= host.next_wakeup()) take(host.on_tick(now), now);
  }
};

// What a host that serves alone says.
wire::Frame recording(HostId id, uint64_t incarnation, uint8_t adapter) {
  Machine machine(settings_of(id, incarnation, adapter), kSecond);
  for (Nanos now = kSecond; now < 4 * kSecond; now += kMillisecond) machine.run(now);
  EXPECT_EQ(machine.host.phase(), core::Phase::acquired);
  return machine.said.back();
}

using Replay = std::function<std::vector<wire::Frame>(int64_t ms)>;

// When a host that starts among recordings serves, ms; -1: not within a minute. Nobody answers ARP.
int64_t begins(const Replay& replay, std::size_t* questions = nullptr) {
  constexpr Nanos kStart = 100 * kSecond;
  Machine machine(settings_of(1, 1001, 1), kStart);
  for (int64_t ms = 0; ms < 60'000; ++ms) {
    const Nanos now = kStart + ms * kMillisecond;
    machine.run(now);
    machine.hear(replay(ms), now);
    if (questions != nullptr) *questions = machine.asked.size();
    if (machine.host.phase() == core::Phase::acquired) return ms;
  }
  return -1;
}

TEST(Recordings, DelayAStartByTheSilenceLimitAtMostHoweverTheyAreSent) {
  const auto one = recording(2, 7, 2), moved = recording(2, 8, 22), other = recording(3, 9, 3);
  const auto nothing = [](int64_t) { return std::vector<wire::Frame>{}; };
  const int64_t usual = begins(nothing);
  ASSERT_GT(usual, 0);
  const auto every = [&](int64_t period, const wire::Frame& frame) {
    return [=](int64_t ms) { return ms % period == 7 ? std::vector{frame} : std::vector<wire::Frame>{}; };
  };
  for (const int64_t period : {20, 250, 499, 505, 510, 549}) {
    const int64_t began = begins(every(period, one));
    EXPECT_TRUE(began >= 0 && began <= usual + 550) << "every " << period << " ms: " << began;
  }
  const Replay in_turn = [&](int64_t ms) {
    return ms % 450 < 20 ? std::vector{ms / 450 % 2 == 0 ? one : other} : std::vector<wire::Frame>{};
  };
  const int64_t two = begins(in_turn);
  EXPECT_TRUE(two >= 0 && two <= usual + 550) << "two hosts in turn: " << two;
  std::size_t questions = 0;
  const Replay two_adapters = [&](int64_t ms) { return std::vector{ms % 2 == 0 ? one : moved}; };
  const int64_t moving = begins(two_adapters, &questions);
  EXPECT_TRUE(moving >= 0 && moving <= usual + 550) << "one id, two adapters: " << moving;
  EXPECT_LE(questions, 15U) << "five within D";
}

// It answered while the machine was there; then only its frames are sent, again and again.
TEST(Recordings, OfAMachineWhoseKernelAnswersNoMoreHoldNobodyUp) {
  const auto frame = recording(2, 7, 2);
  Nanos now = 100 * kSecond;
  Machine machine(settings_of(1, 1001, 1), now);
  const auto run = [&](Nanos time, bool answers) {
    for (const Nanos end = now + time; now < end; now += kMillisecond) {
      machine.run(now);
      machine.hear({frame}, now);
      for (const auto& probe : std::exchange(machine.asked, {}))
        if (answers) machine.take(machine.host.on_kernel_answer(probe.address, now), now);
    }
  };
  run(3 * kSecond, true);
  EXPECT_EQ(machine.host.phase(), core::Phase::none) << "it may serve";
  run(kSecond, false);
  EXPECT_EQ(machine.host.phase(), core::Phase::acquired);
}

// A view of two, of which one dies; its kernel lives, frames of its former life are sent, and the gateway is
// asked before the other goes on alone. How long nothing is owned, ms; -1: for ever.
int64_t survivor_is_without(bool recordings) {
  constexpr Nanos kStart = 100 * kSecond, kDies = kStart + 4 * kSecond;
  const IpAddress gateway = IpAddress::v4(0x0a4d0001);
  const auto former = recording(2, 7, 2);
  Machine survivor(settings_of(1, 1001, 1), kStart), other(settings_of(2, 2002, 2), kStart);
  (void)survivor.host.on_gateway(gateway, kStart);
  (void)other.host.on_gateway(gateway, kStart);
  Nanos without_since = 0;
  for (Nanos now = kStart; now < kDies + 20 * kSecond; now += kMillisecond) {
    const auto from_survivor = std::exchange(survivor.said, {}), from_other = std::exchange(other.said, {});
    for (Machine* machine : {&survivor, &other})
      for (const auto& probe : std::exchange(machine->asked, {}))
        machine->take(machine->host.on_kernel_answer(probe.address, now), now);
    const bool lives = now < kDies;
    survivor.hear(lives ? from_other : recordings ? std::vector{former} : std::vector<wire::Frame>{}, now);
    survivor.run(now);
    if (lives) {
      other.hear(from_survivor, now);
      other.run(now);
    }
    const bool owns = survivor.host.ownership().owns_anything();
    if (now == kDies) {
      EXPECT_TRUE(owns && std::popcount(survivor.host.view().members) == 2);
    }
    if (!lives && !owns && without_since == 0) without_since = now;
    if (without_since != 0 && owns) return (now - without_since) / kMillisecond;
  }
  return without_since == 0 ? 0 : -1;
}

TEST(Recordings, DoNotKeepTheSurvivorOfAViewFromServing) {
  const int64_t usual = survivor_is_without(false), beside = survivor_is_without(true);
  ASSERT_GE(usual, 0);
  EXPECT_TRUE(beside >= 0 && beside <= usual + 100) << beside << " ms, usually " << usual;
}

}  // namespace
}  // namespace nlb::sim
