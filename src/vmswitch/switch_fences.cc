// SPDX-License-Identifier: Apache-2.0
// Fences in the daemon: a port that is down is fenced before anything else is looked at, the fence is read
// back, and only then are the other members told.
#include <ctime>

#include "linux/clock.hh"
#include "vmswitch/switch_daemon.hh"

namespace nlb::vmswitch {
namespace {

Nanos monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

}  // namespace

// What a daemon before this one has fenced stays so, as others were told.
void SwitchDaemon::adopt_fences() {
  const auto found = links();
  if (!found) return;
  for (const auto& link : *found)
    if (const auto policy = enforcement_->maps().port(link.ifindex);
        policy && (policy->flags & NLB_GUARD_PORT_FENCED) != 0) {
      fencing_.adopt(link.name, boottime_now());
      fences_told_.insert(link.name);
    }
}

void SwitchDaemon::fence_ports() {
  if (!fencing_.has_members()) return;
  const auto found = links();
  if (!found) return;
  const Nanos now = boottime_now(), monotonic = monotonic_now();
  const auto silent = [&](uint32_t ifindex) -> std::optional<Nanos> {
    const auto state = enforcement_->maps().state(ifindex);
    if (!state || state->heartbeat_heard_ns == 0) return std::nullopt;
    return monotonic - static_cast<Nanos>(state->heartbeat_heard_ns);
  };
  for (const auto& port : fencing_.gone_down(*found, silent, now)) {
    const auto who = identity_of(port.ifindex);
    if (auto done = enforcement_->fence(port.ifindex); !done) {
      events_.add(EventId::not_in_force, port.interface + ": " + done.error().message +
                                             "; the other members are not told that it is down");
      fencing_.not_fenced(port.ifindex);
      continue;
    }
    const auto notices = fencing_.fence(port.ifindex, now);
    say(notices);
    fences_told_.insert(port.interface);
    events_.add(EventId::port_fenced,
                who.vm + " (" + port.interface + "), host " + std::to_string(port.host) +
                    (port.gone ? ": its interface is gone" : ": its port is down") + "; " +
                    std::to_string(notices.size()) + " other members were told",
                {{"vm", who.vm}, {"adapter", who.adapter}, {"port", port.interface}});
  }
  say(fencing_.come_up(*found, now));
}

void SwitchDaemon::say(const std::vector<SaidNotice>& notices) const {
  for (const auto& said : notices) announcer_->tell(said.ifindex, wire::encode(said.notice));
}

void SwitchDaemon::take_presence(const nlb_steering_part& part) {
  if (!fencing_.follows(part.ifindex) || part.bytes > sizeof part.payload) return;
  const auto read = wire::decode_fence_frame({part.payload, part.bytes});
  if (!read || !std::holds_alternative<wire::PortPresence>(*read)) return;
  say(fencing_.take(part.ifindex, std::get<wire::PortPresence>(*read), boottime_now()));
  if (fences_told_ == fencing_.fenced()) return;
  static_cast<void>(look_again());
  tell_ended_fences();
}

void SwitchDaemon::tell_ended_fences() {
  for (const auto& interface : fences_told_)
    if (!fencing_.fenced().contains(interface))
      events_.add(EventId::fence_ended, interface + " passes again what its policy allows",
                  {{"port", interface}});
  fences_told_ = fencing_.fenced();
  events_.write_lines();
}

void SwitchDaemon::end_old_fences() {
  if (!fencing_.expire(boottime_now())) return;
  static_cast<void>(look_again());
  tell_ended_fences();
}

}  // namespace nlb::vmswitch
