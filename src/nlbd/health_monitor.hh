// SPDX-License-Identifier: Apache-2.0
// Runs the configured health checks, each in its interval, on a thread of its own in ordinary scheduling: a
// service that hangs or a program that is slow delays nothing but its own result.
//
// A check of one of the cluster's VIPs waits while the VIP is not on this host: a connection would leave the
// host and another one would answer. While it waits, nothing is counted.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/config.hh"
#include "core/health_offers.hh"
#include "core/health_record.hh"

namespace nlb {

struct CheckStatus {
  HealthCheck check;
  std::string rule;  // its port rule in words
  core::Health health = core::Health::checking;
  bool healthy = false;  // what it counts as; differs from `health` only until the first result
  bool waiting = false;  // for its VIP
  uint32_t in_a_row = 0, needed = 1, flaps = 0;
  Nanos since = 0;
  bool last_good = false;  // of the last run; last_at 0 = there was none
  std::string detail;
  Nanos last_at = 0, last_took = 0;
};

class HealthMonitor {
 public:
  // Called on the monitor's thread, without its lock, when what some check counts as has changed.
  using Changed = std::function<void()>;
  explicit HealthMonitor(Changed changed);
  ~HealthMonitor();

  // In force when it returns: results of checks that are gone count no more; what stays the same keeps its
  // record. Begins nothing before start().
  void configure(const Config& config);
  void start();
  void stop();  // joins; nothing is called any more

  [[nodiscard]] std::vector<CheckStatus> statuses() const;
  [[nodiscard]] std::vector<core::FailedCheck> failed() const;
  [[nodiscard]] std::string rule_name(std::size_t slot) const;

 private:
  struct Entry;
  class Loop;
  [[nodiscard]] std::shared_ptr<Entry> entry_for(const HealthCheck& check, const std::string& rule,
                                                 const Config& config);

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Entry>> entries_;
  std::vector<std::string> rules_;  // in words, by slot
  bool configured_ = false;
  std::unique_ptr<Loop> loop_;
};

}  // namespace nlb
