// SPDX-License-Identifier: Apache-2.0
// The last convergences of this host: which view, who is in it, why, and how long it took. A ring of bounded
// size. What the core notices before a view changes is the cause of that change; when a view changes again
// before it has settled, it is the same convergence with one cause more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "base/distribution.hh"
#include "base/net.hh"

namespace nlb {

struct Convergence {
  int64_t time_ms = 0;  // Unix; of its first sign
  uint32_t view = 0;
  HostSet members = 0;
  std::vector<std::string> causes;  // never empty; the first one began it
  int64_t duration_ms = -1;         // -1 = still converging
};

class ConvergenceHistory {
 public:
  static constexpr std::size_t kEntries = 64, kCauses = 8;
  // A cause that no view follows within this time has had no effect.
  static constexpr Nanos kCauseLasts = 2 * kSecond;

  void add_cause(const std::string& text, Nanos now, int64_t unix_ms);
  // `text` stands in where nothing else was noticed.
  void view_changed(uint32_t view, HostSet members, const std::string& text, Nanos now, int64_t unix_ms);
  void converged(uint32_t view, HostSet members, Nanos now);
  // While this host takes part in nothing, nothing converges.
  void takes_part(bool does, Nanos now);

  [[nodiscard]] std::vector<Convergence> entries() const;  // oldest first
  [[nodiscard]] uint64_t count() const;                    // of those that were completed, ever
  [[nodiscard]] Distribution durations() const;            // of the same, in seconds

 private:
  [[nodiscard]] bool under_way() const { return !ring_.empty() && ring_.back().duration_ms < 0; }
  void finish(Nanos now);
  void finish_alone(Nanos now);

  mutable std::mutex mutex_;
  std::deque<Convergence> ring_;
  std::vector<std::string> waiting_;  // causes without a view yet
  Nanos waiting_since_ = 0, began_at_ = 0;
  int64_t waiting_since_ms_ = 0;
  Distribution durations_s_{{0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}};
  bool takes_part_ = true;
};

}  // namespace nlb
