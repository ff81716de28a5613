// SPDX-License-Identifier: Apache-2.0
// One try to put cluster MAC and VIPs in force with one strategy: proof → MAC path → address-conflict
// detection → VIPs. It takes up to some seconds of waiting for answers, so it runs on a thread of its own;
// the daemon is notified and takes the outcome.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "linux/adapter.hh"
#include "nlbd/path_probe.hh"

namespace nlb {

struct BindTask {
  BindPlan plan;
  core::PathPlan path;
  core::Claimants claimants;
  bool prove = true;              // false: prove_path = false, or a path that is known to be good
  bool bind = true;               // false: the path is only proved again
  bool ask_driver = false;        // when the receive side fails: does the driver refuse the MAC?
  bool unproven_is_good = false;  // on_unproven = "bind", or a path that was proven before
  Nanos detection = 0;            // of conflicts; 0 = none
  Surroundings around;
  GroupMembership* membership = nullptr;  // of mode igmp, as long as the daemon runs
};

struct BindOutcome {
  bool good = false;
  BindReason reason = BindReason::none;
  std::string evidence;  // for a person: what was seen, or what failed
};

class BindAttempt {
 public:
  // `notify` (an eventfd) becomes readable when it is over.
  BindAttempt(BindTask task, int notify);
  ~BindAttempt();  // gives up, waits
  BindAttempt(const BindAttempt&) = delete;
  BindAttempt& operator=(const BindAttempt&) = delete;

  [[nodiscard]] const BindTask& task() const { return task_; }
  [[nodiscard]] BindOutcome outcome();  // waits until it is over

 private:
  [[nodiscard]] BindOutcome run();
  [[nodiscard]] tl::expected<void, BindFailure> claim();

  BindTask task_;
  int notify_;
  std::atomic<bool> stop_{false};
  BindOutcome outcome_;
  std::thread thread_;
};

}  // namespace nlb
