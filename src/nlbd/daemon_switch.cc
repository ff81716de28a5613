// SPDX-License-Identifier: Apache-2.0
// What the guard of the hypervisor's switch tells this host about its port. It is quoted, it explains a
// refusal, and a change of it is a reason to try again at once, or to prove the path anew; whether a bind
// holds is the proof's to say.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "linux/switch_words.hh"
#include "nlbd/daemon.hh"
#include "nlbd/incarnation.hh"

namespace nlb {
namespace {

constexpr Nanos kBetweenChanges = kSecond;  // on a switch without a guard anybody can send any number of them

const char* name_of(wire::PortSpoofing spoofing) {
  constexpr std::array names = {"off", "cluster", "on"};
  return names[static_cast<std::size_t>(spoofing)];
}

}  // namespace

void Daemon::on_switch() {
  const std::lock_guard lock(mutex_);
  switch_->read();
  const auto notices = switch_->take_notices();
  follow_switch();
  // The protocol thread acts on them. If one was of this host, its new life opens the port.
  if (std::ranges::any_of(notices, [&](const auto& notice) { return notice.host == config_.id; }))
    speak_to_switch();
}

// Twice a second, while the switch asks for it. The number is the core's before anybody can hear it.
void Daemon::speak_to_switch() {
  const auto heard = switch_->fresh(boottime_now());
  if (!heard || !heard->fences) return;
  wire::PortPresence presence;
  presence.host = config_.id;
  presence.period_ms = config_.period_ms;
  presence.silence_ms = config_.period_ms * config_.tolerance;
  presence.nonce = random_number<uint64_t>();
  protocol_->call([&](core::Host& host, Nanos now) {
    presence.incarnation = host.settings().incarnation;
    host.say_to_switch(presence.nonce, now);
    return core::Actions{};
  });
  const bool masked = replace_ && bind_ == BindState::bound;
  to_switch_->send(masked ? masked_mac(config_.vips.front().address, config_.id) : own_mac_,
                   wire::encode(presence));
}

// Also called at each tick, for what came too soon after another change.
void Daemon::follow_switch() {
  const Nanos now = boottime_now();
  const auto heard = switch_->fresh(now);
  speaker_->on_switch(heard ? heard->steering : std::nullopt);
  const bool fences = heard && heard->fences;
  if (fences && !std::exchange(switch_fences_, fences)) speak_to_switch();
  switch_fences_ = fences;
  if (!heard || (switch_policy_ && *switch_policy_ == heard->policy)) return;
  if (switch_policy_ && now - switch_changed_at_ < kBetweenChanges) return;
  const std::string before = switch_policy_ ? "; it was " + quote_of(*switch_policy_) : "";
  const bool first = !switch_policy_;
  switch_policy_ = heard->policy;
  switch_changed_at_ = now;
  events_.add(EventId::switch_policy, quote_of(heard->policy) + before,
              {{"host", heard->policy.host},
               {"port", heard->policy.port},
               {"vm", heard->policy.vm},
               {"mac_spoofing", name_of(heard->policy.mac_spoofing)}});
  if (first) {  // it explains a refusal that was said without it
    if (bind_ == BindState::refused) say_refusal();
    return;
  }
  switch_changed_in_attempt_ = attempt_ != nullptr;
  retry_bind_at_ = 0;
  retry_bind();
  check_path_again();
}

// As it was found, with what the switch says now.
BindOutcome Daemon::with_switch_words(const BindOutcome& found) const {
  const auto heard = switch_->fresh(boottime_now());
  if (!heard) return found;
  const auto words =
      nlb::with_switch_words({found.reason, found.evidence}, heard->policy, {config_.name, config_.id});
  return {found.good, words.reason, words.evidence};
}

// The platform's remedy, unless the switch has named itself and is the one that drops.
std::string Daemon::with_switch_remedy(BindReason reason, const std::string& of_platform) const {
  const auto heard = switch_->fresh(boottime_now());
  if (!heard || heard->policy.audit || !may_be_the_switch(reason)) return of_platform;
  const auto exact = remedy_on_switch(heard->policy, {config_.name, config_.id});
  if (exact.empty()) return of_platform;
  return reason == BindReason::unproven ? exact + " " + of_platform : exact;
}

// Null: the switch does not steer.
nlohmann::json Daemon::steering_json() const {
  const auto said = speaker_->status();
  if (!said.speaks) return nullptr;
  return {{"generation", said.generation},
          {"in_transition", said.in_transition},
          {"acknowledged", said.generation == said.in_force}};
}

nlohmann::json Daemon::switch_json() const {
  const Nanos now = boottime_now();
  const auto heard = switch_->fresh(now);
  if (!heard) return nullptr;
  const auto& told = heard->policy;
  return {{"host", told.host},
          {"bridge", told.bridge},
          {"port", told.port},
          {"vm", told.vm},
          {"adapter", told.adapter},
          {"mac", told.mac.is_zero() ? "" : told.mac.text()},
          {"mac_spoofing", name_of(told.mac_spoofing)},
          {"cluster", told.cluster},
          {"host_id", told.host_id},
          {"policy", told.audit ? "audit" : "enforce"},
          {"require_stopped", told.require_stopped},
          {"steering", steering_json()},
          {"fences", heard->fences},
          {"age_ms", (now - heard->heard_at) / kMillisecond},
          {"text", quote_of(told)}};
}

}  // namespace nlb
