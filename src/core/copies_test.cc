// SPDX-License-Identifier: Apache-2.0
// Copies of heartbeats to the cluster MAC, in every cluster mode: who hears peers but no copy says so, and
// one that was overtaken is no replay.
#include <gtest/gtest.h>

#include "core/host.hh"

namespace nlb::core {
namespace {

struct Pair {
  explicit Pair(ClusterMode mode) : one(settings(1, mode), 0), two(settings(2, mode), 0) {
    for (Host* host : {&one, &two}) {
      (void)host->on_bind(true, "", 0);
      (void)host->command(HostEvent::start, 0);
    }
  }
  static Settings settings(HostId id, ClusterMode mode) {
    Settings made;
    made.id = id;
    made.incarnation = 100 + id;
    made.mode = mode;
    made.digests.mode = static_cast<uint8_t>(mode);
    return made;
  }
  // Each hears the other, host 1 copies as it is told.
  void run_for(Nanos duration, bool copies_arrive, bool copies_last) {
    for (const Nanos end = now + duration; now < end; now += kMillisecond) {
      for (Host* host : {&one, &two}) {
        if (now < host->next_wakeup()) continue;
        Actions actions = host->on_tick(now);
        Host& other = host == &one ? two : one;
        for (const bool copies : {!copies_last, copies_last})
          for (const Send& send : actions.sends)
            if ((send.to == Send::To::cluster_mac) == copies && (!copies || copies_arrive || &other == &two))
              take(other, send, copies);
        take(*host, actions);
      }
    }
  }
  void take(Host& host, const Send& send, bool copy) {
    take(host, copy ? host.on_copy(send.frame, now) : host.on_frame(send.frame, now));
  }
  void take(const Host& host, const Actions& actions) {
    for (const Notice& notice : actions.notices)
      if (&host == &one && notice.kind == Notice::Kind::rx_filtered) ++filtered;
  }
  [[nodiscard]] uint64_t refused() const {
    uint64_t sum = 0;
    for (const uint64_t count : one.refusals()) sum += count;
    return sum;
  }
  Host one, two;
  Nanos now = 0;
  int filtered = 0;
};

constexpr ClusterMode kModes[] = {ClusterMode::unicast, ClusterMode::multicast, ClusterMode::igmp};

TEST(Copies, WhoHearsPeersButNoCopySaysSo) {
  for (const ClusterMode mode : kModes) {
    Pair pair(mode);
    pair.run_for(3 * kSecond, true, false);
    EXPECT_EQ(pair.filtered, 0);
    pair.run_for(3 * kSecond, false, false);
    EXPECT_EQ(pair.filtered, 1);
  }
}

TEST(Copies, OneThatWasOvertakenIsNoReplay) {
  Pair pair(ClusterMode::igmp);
  pair.run_for(kSecond, true, false);
  const uint64_t before = pair.refused();
  pair.run_for(3 * kSecond, true, true);
  EXPECT_EQ(pair.refused(), before);
  EXPECT_EQ(pair.filtered, 0);
}

}  // namespace
}  // namespace nlb::core
