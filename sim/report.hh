// SPDX-License-Identifier: Apache-2.0
// What many runs add up to, as the document on results needs it.
#pragma once

#include <map>

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
  uint64_t seeds_ = 0, violations_ = 0, excused_resets_ = 0;
  Nanos simulated_ = 0, longest_settling_ = 0;
  double longest_window_of_lease_ = 0;
  Counters counters_;
  std::array<uint64_t, kFaultKinds> faults_{};
  std::map<HostId, uint64_t> hosts_;
};

}  // namespace nlb::sim
