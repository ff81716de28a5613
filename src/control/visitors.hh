// SPDX-License-Identifier: Apache-2.0
// How much of the control socket one user may take. Whoever is no admin has few connections and few requests
// a second, each user his own and all together less than there are: an admin is always served.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>

#include "control/role.hh"

namespace nlb {

inline constexpr std::size_t kMaxSessions = 64;                          // admins' and others'
inline constexpr std::size_t kMaxSessionsOfOthers = 32;                  // of all who are no admins
inline constexpr std::size_t kMaxSessionsOfUser = 16;                    // of one who is no admin
inline constexpr double kRequestsPerSecond = 50, kRequestsAtOnce = 100;  // of one who is no admin

class Visitors {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  [[nodiscard]] bool enter(const Peer& peer);  // false: he has too many connections
  void leave(const Peer& peer);                // for each that entered
  [[nodiscard]] bool may_ask(const Peer& peer, Instant now);
  [[nodiscard]] bool is_full() const { return sessions_ >= kMaxSessions; }

 private:
  struct Account {
    std::size_t sessions = 0;
    double tokens = kRequestsAtOnce;
    Instant filled{};
  };
  void forget_idle(Instant now);
  std::size_t sessions_ = 0, of_others_ = 0;
  std::map<uid_t, Account> accounts_;
};

}  // namespace nlb
