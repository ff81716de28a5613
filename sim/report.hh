// SPDX-License-Identifier: Apache-2.0
// What many runs add up to, as the document on results needs it.
#pragma once

#include <map>
#include <tuple>

#include "sim/run.hh"

namespace nlb::sim {

class Report {
 public:
  void add(const RunResult& result);
  // Markdown. `processor_s`: what the runs took of one core here; others may share the core.
  [[nodiscard]] std::string text(const std::string& command, double processor_s) const;
  [[nodiscard]] uint64_t seeds() const { return seeds_; }
  [[nodiscard]] uint64_t violations() const { return violations_; }
  [[nodiscard]] Nanos simulated() const { return simulated_; }

 private:
  [[nodiscard]] std::string losses_text() const;
  struct Lossy {  // runs of one loss, number of hosts and profile
    Nanos simulated = 0;
    uint64_t evictions = 0, violations = 0;
  };
  uint64_t seeds_ = 0, violations_ = 0, excused_resets_ = 0;
  Nanos simulated_ = 0, longest_settling_ = 0;
  uint64_t held_down_ = 0;
  double longest_window_of_lease_ = 0;
  Counters counters_;
  std::array<uint64_t, kFaultKinds> faults_{};
  std::map<HostId, uint64_t> hosts_;
  std::map<std::tuple<int64_t, int, uint32_t, uint32_t>, Lossy> lossy_;
};

}  // namespace nlb::sim
