// SPDX-License-Identifier: Apache-2.0
// What the core notices becomes events and the convergence history. Called on the protocol thread.
#include <array>
#include <string_view>

#include "linux/clock.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

using Kind = core::Notice::Kind;

EventId event_of(Kind kind) {
  switch (kind) {
    case Kind::state_changed:
      return EventId::state_changed;
    case Kind::view_changed:
      return EventId::view_changed;
    case Kind::converged:
    case Kind::resumed:
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
    case Kind::rule_unserved:
      return EventId::rule_unserved;
    case Kind::rule_served_as_last:
      return EventId::rule_served_as_last;
    case Kind::rule_served:
      return EventId::rule_served;
    case Kind::duplicate_priority:
      return EventId::duplicate_priority;
    case Kind::peer_fenced:
      return EventId::peer_fenced;
    case Kind::fenced:
      return EventId::fenced;
    case Kind::echo_missing:
      return EventId::echo_missing;
    case Kind::drained:
      break;
  }
  return EventId::drained;
}

bool stands_still(const core::Notice& notice) {
  return notice.text.find("-> stopped") != std::string::npos ||
         notice.text.find("-> suspended") != std::string::npos;
}

// Why the next view is another one, in a person's words; "" = this notice is no cause.
std::string cause_of(const core::Notice& notice, const std::string& peer) {
  if (notice.kind == Kind::peer_silent || notice.kind == Kind::peer_fenced ||
      notice.kind == Kind::peer_joined || notice.kind == Kind::peer_left || notice.kind == Kind::peer_evicted)
    return peer + notice.text;
  constexpr std::string_view command = "(command ";  // "stopped -> converging (command start)"
  const auto at = notice.kind == Kind::state_changed ? notice.text.find(command) : std::string::npos;
  if (at == std::string::npos) return "";
  return "this host: " +
         notice.text.substr(at + command.size(), notice.text.size() - at - command.size() - 1);
}

}  // namespace

void Daemon::record_convergence(const core::Notice& notice, const std::string& peer) {
  const Nanos now = boottime_now();
  if (const auto cause = cause_of(notice, peer); !cause.empty()) history_.add_cause(cause, now, unix_ms());
  if (notice.kind == Kind::view_changed)
    history_.view_changed(notice.view, notice.members, notice.text, now, unix_ms());
  if (notice.kind == Kind::converged) history_.converged(notice.view, notice.members, now);
  if (notice.kind == Kind::state_changed) history_.takes_part(!stands_still(notice), now);
}

// Events 5 and 6: whether this host is an active member, whatever it goes through on the way.
void Daemon::tell_membership(const core::Notice& notice) {
  const bool joins = notice.kind == Kind::converged && !active_member_;
  const bool leaves = notice.kind == Kind::state_changed && active_member_ &&
                      (stands_still(notice) || notice.text.find("-> refused") != std::string::npos);
  if (joins) events_.add(EventId::joined, "this host is an active member");
  if (leaves) events_.add(EventId::left, "this host is no longer an active member: " + notice.text);
  active_member_ = joins || (active_member_ && !leaves);
}

void Daemon::on_notice(const core::Notice& notice) {
  const std::string peer = notice.peer == 0 ? "" : "host " + std::to_string(notice.peer) + ": ";
  record_convergence(notice, peer);
  std::map<std::string, std::string> fields;
  if (notice.peer != 0) fields["peer"] = std::to_string(notice.peer);
  const EventId id = notice.as_default ? EventId::converged_as_default : event_of(notice.kind);
  const bool of_rule = notice.kind == Kind::rule_unserved || notice.kind == Kind::rule_served_as_last ||
                       notice.kind == Kind::rule_served || notice.kind == Kind::duplicate_priority;
  const std::string rule = of_rule ? health_->rule_name(notice.slot) : "";
  if (of_rule) fields["rule"] = rule;
  events_.add(id, peer + (of_rule ? rule + ": " : "") + notice.text, fields);
  tell_membership(notice);
}

}  // namespace nlb
