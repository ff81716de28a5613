// SPDX-License-Identifier: Apache-2.0
#include "control/visitors.hh"

#include <algorithm>

namespace nlb {

bool Visitors::enter(const Peer& peer) {
  if (!peer.may(Role::admin)) {
    Account& account = accounts_[peer.user];
    if (account.sessions >= kMaxSessionsOfUser || of_others_ >= kMaxSessionsOfOthers) return false;
    ++account.sessions;
    ++of_others_;
  }
  ++sessions_;
  return true;
}

void Visitors::leave(const Peer& peer) {
  --sessions_;
  if (peer.may(Role::admin)) return;
  --of_others_;
  --accounts_[peer.user].sessions;
}

bool Visitors::may_ask(const Peer& peer, Instant now) {
  if (peer.may(Role::admin)) return true;
  forget_idle(now);
  Account& account = accounts_[peer.user];
  const double passed = std::chrono::duration<double>(now - account.filled).count();
  account.tokens = std::min(kRequestsAtOnce, account.tokens + passed * kRequestsPerSecond);
  account.filled = now;
  if (account.tokens < 1) return false;
  account.tokens -= 1;
  return true;
}

// A full bucket and no connection say no more than no account at all.
void Visitors::forget_idle(Instant now) {
  constexpr auto kFull = std::chrono::seconds(static_cast<int>(kRequestsAtOnce / kRequestsPerSecond) + 1);
  std::erase_if(accounts_,
                [&](const auto& one) { return one.second.sessions == 0 && now - one.second.filled > kFull; });
}

}  // namespace nlb
