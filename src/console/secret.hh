// SPDX-License-Identifier: Apache-2.0
// Who may look: the token of the console's file, and the sessions of browsers that have shown it.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.hh"

namespace nlb::console {

// 32 random octets as hex digits.
[[nodiscard]] std::string random_word();
// Takes the same time wherever they differ.
[[nodiscard]] bool same_secret(const std::string& one, const std::string& other);
// The token of this file; made, mode 0600, when there is none. A file that others can read is refused.
[[nodiscard]] Result<std::string> token_of(const std::string& path);

struct Session {
  std::string id, csrf;
};

// Bounded: the session that was idle longest goes first.
class Sessions {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMost = 256;
  static constexpr std::chrono::hours kIdle{12};

  [[nodiscard]] Session open();
  [[nodiscard]] std::optional<Session> find(const std::string& id);
  void close(const std::string& id);

 private:
  struct Known {
    std::string csrf;
    Clock::time_point used;
  };
  std::mutex mutex_;
  std::map<std::string, Known> known_;
};

// How long who gave a wrong token waits for the answer: half a second, doubled with each one up to eight;
// what nobody got wrong for a minute is forgotten. The right token never waits, so nobody can lock others
// out.
class WrongTokens {
 public:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::chrono::milliseconds another(Clock::time_point now = Clock::now());

 private:
  std::mutex mutex_;
  unsigned count_ = 0;
  Clock::time_point last_{};
};

}  // namespace nlb::console
