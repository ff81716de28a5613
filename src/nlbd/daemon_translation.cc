// SPDX-License-Identifier: Apache-2.0
// Services behind DNAT, in containers say: while there are translated connections with a VIP, the filter
// leaves segments of buckets in transition to the guard, which asks connection tracking
// (docs/decisions/0012-translated-connections.md). Where there are none nothing of that is in force: the
// guard's rule would make the kernel track every connection.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "linux/clock.hh"
#include "linux/conntrack.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

constexpr Nanos kRemembered = 60 * kSecond;  // after the last translated connection was seen

}  // namespace

// Before the first bind: buckets that an earlier daemon left are in transition from the beginning.
void Daemon::find_translations() {
  const auto found = each_translated([&](const TranslatedConnection& connection) {
    const auto is_its = [&](const Vip& vip) { return vip.address == connection.address; };
    translates_ = std::any_of(config_.vips.begin(), config_.vips.end(), is_its);
    return !translates_;
  });
  if (!found) spdlog::warn("{}", found.error().message);
}

// The guard's rule is there before the filter relies on it, and goes after it.
void Daemon::follow_translations() {
  const Nanos seen_at = protocol_->translated_seen_at();
  const bool there = seen_at != 0 && boottime_now() - seen_at < kRemembered;
  if (there == translates_ || bind_ != BindState::bound || attempt_) return;
  translates_ = there;
  if (!there) sync_filter();
  if (auto done = install_guard(guard_plan_of(config_)); !done)
    spdlog::error("guard: {}", done.error().message);
  if (there) sync_filter();
}

}  // namespace nlb
