// SPDX-License-Identifier: Apache-2.0
// What becomes of the health checks' results: this host's offers, and events.
#include "control/config_json.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

std::string what_fails(const CheckStatus& status) {
  std::string text =
      status.rule + ": " + name_of(status.check.type) + " " + status.check.target + ": " + status.detail;
  if (status.flaps > 0)
    text += "; it flaps, so it counts as well again after " + std::to_string(status.needed) +
            " good results in a row";
  return text;
}

bool has_failed(const CheckStatus& status) {
  return status.health == core::Health::unhealthy;
}

// "" = the whole host.
std::string whom_it_takes_out(const CheckStatus& status) {
  return status.check.on_failure == OnHealthFailure::host ? "" : status.rule;
}

}  // namespace

void Daemon::on_health() {
  const std::lock_guard lock(mutex_);
  tell_offers();
  tell_health();
}

// Said when a rule, or the host, goes out and when it comes back; not for each check.
void Daemon::tell_health() {
  std::set<std::string> out;
  for (const CheckStatus& status : health_->statuses()) {
    if (!has_failed(status)) continue;
    const std::string whom = whom_it_takes_out(status);
    out.insert(whom);
    if (health_out_.contains(whom)) continue;
    health_out_.insert(whom);
    events_.add(whom.empty() ? EventId::health_host_out : EventId::health_rule_out, what_fails(status),
                {{"rule", status.rule},
                 {"type", name_of(status.check.type)},
                 {"target", status.check.target},
                 {"detail", status.detail}});
  }
  for (const std::string& whom : health_out_) {
    if (out.contains(whom)) continue;
    if (whom.empty())
      events_.add(EventId::health_host_back, "this host is in service again");
    else
      events_.add(EventId::health_rule_back, whom + " is served again", {{"rule", whom}});
  }
  health_out_ = std::move(out);
}

}  // namespace nlb
