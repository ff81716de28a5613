// SPDX-License-Identifier: Apache-2.0
// A living daemon that is not believed yet, among dead ones whose frames a stranger sends again.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "core/host.hh"

namespace nlb::core {
namespace {

constexpr Nanos kD = 500 * kMillisecond;

TEST(Candidates, ADeadOneOfAHigherNumberDoesNotHideTheLiving) {
  Candidates candidates;
  std::array<int, 2> listed{};
  for (Nanos now = kSecond; now < 2 * kSecond; now += 10 * kMillisecond) {
    candidates.note({9, static_cast<uint64_t>(now), now}, kD);
    candidates.note({7, static_cast<uint64_t>(now), now}, kD);
    const auto turn = static_cast<uint64_t>(now / (10 * kMillisecond));
    const Candidate* const one = candidates.in_turn(turn, now, kD);
    ASSERT_NE(one, nullptr);
    ++listed[one->incarnation == 7 ? 1 : 0];
  }
  EXPECT_EQ(listed[0], listed[1]);
  EXPECT_EQ(candidates.in_turn(0, 3 * kSecond, kD), nullptr) << "silent for long";
}

// A machine that was set back numbers its frames anew; it is listed with the number that it had come to.
TEST(Candidates, OneThatIsListedWithTheSameNumberAgainStaysListed) {
  Candidates candidates;
  for (Nanos now = kSecond; now < 3 * kSecond; now += 50 * kMillisecond) {
    candidates.note({9, 5, now}, kD);
    ASSERT_NE(candidates.in_turn(0, now, kD), nullptr) << now;
  }
}

struct Pair {
  std::array<std::optional<Host>, 3> hosts;  // by id
  std::vector<wire::Frame> recorded;
  Nanos now = 0;
  bool alone = false;  // host 1 served without host 2

  void boot(HostId id, uint64_t incarnation) {
    Settings settings;
    settings.id = id;
    settings.incarnation = incarnation;
    hosts[id].emplace(settings, now);
    carry(id, hosts[id]->on_bind(true, "", now));
    carry(id, hosts[id]->command(HostEvent::start, now));
  }
  void carry(HostId from, const Actions& actions) {
    const auto to = static_cast<HostId>(3 - from);
    for (const Send& send : actions.sends) {
      if (recording) recorded.push_back(send.frame);
      if (hosts[to]) carry(to, hosts[to]->on_frame(send.frame, now));
    }
    if (actions.scan) carry(from, hosts[from]->on_scan(*actions.scan, SlotBuckets(kMaxSlots), 0, now));
    alone = alone || (hosts[1] && serves(1) && hosts[1]->view().members == bit_of(1));
  }
  void run_for(Nanos time, bool with_the_dead = false) {
    for (const Nanos end = now + time; now < end; now += kMillisecond) {
      for (HostId id = 1; id <= 2; ++id)
        if (hosts[id] && now >= hosts[id]->next_wakeup()) carry(id, hosts[id]->on_tick(now));
      if (!with_the_dead) continue;
      const auto& frame = recorded[static_cast<std::size_t>(now / kMillisecond * 7) % recorded.size()];
      for (HostId id = 1; id <= 2; ++id)
        if (hosts[id]) carry(id, hosts[id]->on_frame(frame, now));
    }
  }
  [[nodiscard]] bool serves(HostId id) const { return hosts[id]->phase() == Phase::acquired; }
  bool recording = true;
};

// Found by nlb-sim --seed 2214: its clock had been set back, so its number was lower than that of its former
// life, and whoever had given that one up went on listing it.
TEST(Candidates, WhoComesBackIsHeardWhileItsFormerFramesAreSentAgain) {
  Pair pair;
  pair.boot(1, 300);
  pair.boot(2, 400);
  pair.run_for(2 * kSecond);
  ASSERT_TRUE(pair.serves(1) && pair.serves(2));
  pair.recording = false;
  pair.hosts[1].reset();
  pair.run_for(2 * kSecond);
  pair.hosts[2].reset();
  pair.boot(2, 200);
  pair.run_for(2 * kSecond);
  ASSERT_TRUE(pair.serves(2));
  pair.alone = false;
  pair.run_for(100 * kMillisecond, true);
  pair.boot(1, 100);
  pair.run_for(kD, true);
  EXPECT_FALSE(pair.alone);
  EXPECT_TRUE(pair.serves(1) && pair.serves(2));
  EXPECT_EQ(pair.hosts[1]->view().members, bit_of(1) | bit_of(2));
}

}  // namespace
}  // namespace nlb::core
