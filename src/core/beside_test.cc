// SPDX-License-Identifier: Apache-2.0
// A host that begins to serve alone while others form a view, and has heard nothing of that: losses.
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "core/host.hh"

namespace nlb::core {
namespace {

constexpr Nanos kD = 500 * kMillisecond;

struct Three {
  std::array<std::optional<Host>, 4> hosts;  // by id
  std::function<bool(HostId, HostId)> reaches;
  wire::Frame last_of_two;  // said in no view
  Nanos now = 0;

  void boot(HostId id) {
    Settings settings;
    settings.id = id;
    settings.incarnation = 100 + id;
    hosts[id].emplace(settings, now);
    carry(id, hosts[id]->on_bind(true, "", now));
    carry(id, hosts[id]->command(HostEvent::start, now));
  }
  void carry(HostId from, const Actions& actions) {
    for (const Send& send : actions.sends) {
      if (from == 2 && hosts[2]->phase() == Phase::none) last_of_two = send.frame;
      for (HostId to = 1; to <= 3; ++to)
        if (to != from && hosts[to] && reaches(from, to)) carry(to, hosts[to]->on_frame(send.frame, now));
    }
    if (actions.scan) carry(from, hosts[from]->on_scan(*actions.scan, SlotBuckets(kMaxSlots), 0, now));
  }
  bool run_until(Nanos end, const std::function<bool()>& done) {
    for (; now < end && !done(); now += kMillisecond)
      for (HostId id = 1; id <= 3; ++id)
        if (hosts[id] && now >= hosts[id]->next_wakeup()) carry(id, hosts[id]->on_tick(now));
    return done();
  }
  [[nodiscard]] bool serves(HostId id) const { return hosts[id]->phase() == Phase::acquired; }
};

// Found by nlb-sim --seed 193 of a core that let several hosts in at once.
TEST(Beside, ABetterViewWaitsForWhoBeginsBesideIt) {
  Three three;
  bool forming = false, held_up = true;
  three.reaches = [&](HostId from, HostId to) {
    if (from == 1) return forming && to == 2;
    return to != 1 && !(held_up && to == 2 && three.hosts[2]->phase() != Phase::none);
  };
  const auto never = [] { return false; };
  three.boot(1);
  three.run_until(100 * kMillisecond, never);
  three.boot(2);
  three.boot(3);
  forming = three.run_until(kD, [&] { return three.hosts[2]->phase() != Phase::none || three.serves(1); });
  ASSERT_TRUE(forming);
  ASSERT_EQ(three.hosts[2]->view().members, bit_of(2) | bit_of(3));
  ASSERT_FALSE(three.serves(2));
  three.carry(1, three.hosts[1]->on_frame(three.last_of_two, three.now));
  ASSERT_TRUE(three.run_until(three.now + 2 * kD, [&] { return three.serves(1); }));
  three.run_until(three.now + 60 * kMillisecond, never);
  ASSERT_TRUE(three.hosts[2]->hears(1, three.now));
  held_up = false;
  EXPECT_FALSE(three.run_until(three.now + kD - 100 * kMillisecond,
                               [&] { return three.serves(2) || three.serves(3); }));
  EXPECT_TRUE(three.run_until(three.now + 200 * kMillisecond, [&] {
    return three.serves(2) && three.serves(3);
  })) << "its lease is over by then";
}

}  // namespace
}  // namespace nlb::core
