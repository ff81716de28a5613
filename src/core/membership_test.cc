// SPDX-License-Identifier: Apache-2.0
// Whom a host wants in its view, by what the others say.
#include "core/membership.hh"

#include <gtest/gtest.h>

namespace nlb::core {
namespace {

constexpr Nanos kNow = 100 * kSecond, kPeriod = 50 * kMillisecond, kD = 10 * kPeriod;

wire::PeerReport hears(HostId id, uint32_t view) {
  wire::PeerReport report;
  report.id = id;
  report.incarnation = 100U + id;
  report.sequence = 1;
  report.view = view;
  return report;
}

// Host 1 has removed host 3 with the others; host 2 hears host 3 yet, and has not heard of the new view.
TEST(Membership, WhoLagsBehindBringsNobodyBack) {
  const HostSet all = bit_of(1) | bit_of(2) | bit_of(3) | bit_of(4), rest = all & ~bit_of(3);
  Self self;
  self.id = 1;
  self.incarnation = 101;
  self.active = true;
  self.view = 7;
  self.view_members = rest;
  PeerTable peers;
  peers.heard_of = all & ~bit_of(1);
  for (const HostId id : {HostId{2}, HostId{3}, HostId{4}}) {
    Peer& peer = peers[id];
    peer.believed = true;
    peer.incarnation = 100U + id;
    peer.heard_at = peer.prompt_at = id == 3 ? kNow - 2 * kD : kNow;
    peer.mutual_since = id == 3 ? 0 : kNow - kSecond;
    peer.heartbeat.state = HostState::converged;
    peer.heartbeat.phase = 1;
    peer.heartbeat.view = id == 4 ? 7 : 6;
    peer.heartbeat.view_members = id == 4 ? rest : all;
    peer.heartbeat.peers = {hears(1, 7)};
  }
  peers[2].heartbeat.peers.push_back(hears(3, 6));
  peers[3].accused = true;
  peers[3].removed_at = kNow - 2 * kPeriod;
  const Circle circle = circle_of(self, peers, kNow, kD);
  ASSERT_EQ(circle.mutual, bit_of(2) | bit_of(4));
  EXPECT_EQ(wanted_members(self, peers, circle, kNow, kPeriod), rest);
  peers[2].heartbeat.view = 8;  // the view of those who have taken it up again is another matter
  EXPECT_EQ(wanted_members(self, peers, circle, kNow, kPeriod), all);
}

}  // namespace
}  // namespace nlb::core
