// SPDX-License-Identifier: Apache-2.0
#include "nlbd/bind_attempt.hh"

#include <unistd.h>

#include "linux/named_thread.hh"

namespace nlb {

BindAttempt::BindAttempt(BindTask task, int notify) : task_(std::move(task)), notify_(notify) {
  thread_ = named_thread("nlbd-bind", [this] {
    outcome_ = run();
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = write(notify_, &one, sizeof one);
  });
}

BindAttempt::~BindAttempt() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

BindOutcome BindAttempt::outcome() {
  if (thread_.joinable()) thread_.join();
  return outcome_;
}

BindOutcome BindAttempt::run() {
  BindOutcome outcome{true, BindReason::none, "the path was not proven"};
  if (task_.prove) {
    const PathPlace place{task_.plan.interface, task_.path, task_.claimants.primary_vip,
                          task_.bind ? task_.membership : nullptr};
    const auto verdict = prove_path(place, task_.around, stop_);
    if (stop_) return {false, BindReason::unproven, "given up"};
    if (!verdict) return {false, BindReason::unproven, verdict.error().message};
    outcome = {verdict->reason == BindReason::none, verdict->reason, verdict->evidence};
    const bool receive =
        verdict->reason == BindReason::rx_filtered || verdict->reason == BindReason::rx_or_arp_filtered;
    if (receive && task_.ask_driver)
      if (const auto said = ask_driver(task_.plan.interface, task_.plan.cluster_mac); !said)
        outcome = {false, BindReason::driver_refused,
                   "the driver refuses " + task_.plan.cluster_mac.text() + ": " + said.error().message +
                       "; " + verdict->evidence};
    if (verdict->reason == BindReason::unproven && task_.unproven_is_good) outcome.good = true;
  }
  if (!outcome.good || !task_.bind) return outcome;
  const auto done = bind(task_.plan, [this] { return claim(); });
  if (!done) return {false, done.error().reason, done.error().message};
  return outcome;
}

tl::expected<void, BindFailure> BindAttempt::claim() {
  std::optional<core::AddressConflict> found;
  if (task_.detection != 0) {
    const auto conflict =
        claim_addresses(task_.plan.interface, task_.plan.vips, task_.claimants, task_.detection, stop_);
    if (!conflict) return tl::unexpected(BindFailure{conflict.error(), BindReason::none});
    found = *conflict;
  }
  if (stop_) return tl::unexpected(BindFailure{{"given up", 0}, BindReason::unproven});  // nor claimed
  if (!found) return {};
  return tl::unexpected(BindFailure{{words_of_user(*found), 0}, BindReason::ip_conflict});
}

}  // namespace nlb
