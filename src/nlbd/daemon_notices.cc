// SPDX-License-Identifier: Apache-2.0
// What the core notices becomes events and the convergence history. Called on the protocol thread.
#include <array>

#include "linux/clock.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

using Kind = core::Notice::Kind;
constexpr std::size_t kHistorySize = 64;

EventId event_of(Kind kind) {
  switch (kind) {
    case Kind::state_changed:
      return EventId::state_changed;
    case Kind::view_changed:
      return EventId::view_changed;
    case Kind::converged:
      return EventId::converged;
    case Kind::peer_silent:
      return EventId::peer_silent;
    case Kind::peer_evicted:
      return EventId::peer_evicted;
    case Kind::peer_joined:
      return EventId::peer_joined;
    case Kind::peer_left:
      return EventId::peer_leaving;
    case Kind::peer_refused:
    case Kind::config_mismatch:
      return EventId::config_mismatch;
    case Kind::duplicate_id:
      return EventId::duplicate_host_id;
    case Kind::daemon_late:
      return EventId::daemon_late;
    case Kind::rx_filtered:
      return EventId::receive_filtered;
    case Kind::rx_heard:
      return EventId::receive_works;
    case Kind::kernel_of_peer_lives:
      return EventId::kernel_of_peer_lives;
    case Kind::kernel_of_peer_gone:
      return EventId::kernel_of_peer_gone;
    case Kind::gateway_silent:
      return EventId::gateway_silent;
    case Kind::nobody_owns:
      return EventId::nobody_owns;
    case Kind::drained:
      break;
  }
  return EventId::drained;
}

// Why the next view is another one, in a person's words; "" = this notice is no cause.
std::string cause_of(const core::Notice& notice, const std::string& peer) {
  if (notice.kind == Kind::peer_silent) return peer + "silent";
  if (notice.kind == Kind::peer_evicted) return peer + "evicted";
  if (notice.kind == Kind::peer_joined) return peer + "joins";
  if (notice.kind == Kind::peer_left) return peer + notice.text;
  return "";
}

}  // namespace

void Daemon::record_view_change(const core::Notice& notice) {
  const std::lock_guard lock(history_mutex_);
  if (history_.empty() || history_.back().duration_ms >= 0) {
    history_.push_back(
        {unix_ms(), notice.view, notice.members, last_cause_.empty() ? notice.text : last_cause_, -1});
    if (history_.size() > kHistorySize) history_.pop_front();
    convergence_began_at_ = boottime_now();
  }
  last_cause_.clear();
  auto& record = history_.back();
  record.view = notice.view;
  record.members = notice.members;
  if (notice.kind != Kind::converged) return;
  record.duration_ms = (boottime_now() - convergence_began_at_) / kMillisecond;
  ++convergence_count_;
}

void Daemon::on_notice(const core::Notice& notice) {
  const std::string peer = notice.peer == 0 ? "" : "host " + std::to_string(notice.peer) + ": ";
  if (notice.kind == Kind::view_changed || notice.kind == Kind::converged) record_view_change(notice);
  if (auto cause = cause_of(notice, peer); !cause.empty()) last_cause_ = std::move(cause);
  std::map<std::string, std::string> fields;
  if (notice.peer != 0) fields["peer"] = std::to_string(notice.peer);
  events_.add(event_of(notice.kind), peer + notice.text, fields);
}

}  // namespace nlb
