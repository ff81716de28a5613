// SPDX-License-Identifier: Apache-2.0
// Health in the core is no more than an offer: who has failed a check offers nothing, or something for the
// case that all have failed (docs/decisions/0011-health-in-offers.md). So a rule that is taken out moves as
// one that is drained: two phases, and connections stay where they are.
#include <algorithm>

#include "core/host.hh"
#include "core/service.hh"

namespace nlb::core {

Service service_of(const wire::Heartbeat& heartbeat) {
  if ((heartbeat.flags & wire::kOutOfService) == 0) return Service::in;
  return (heartbeat.flags & wire::kServesAsLast) != 0 ? Service::as_last : Service::out;
}

std::string changed_health_text(const MemberOffer& before, const MemberOffer& now) {
  if (before.service != now.service)
    return now.service == Service::in ? " is in service again" : " is out of service: a health check fails";
  bool worse = false, better = false;
  for (std::size_t slot = 0; slot < now.offers.size(); ++slot) {
    const bool was = wire::is_unhealthy_offer(before.offers[slot]);
    const bool is = wire::is_unhealthy_offer(now.offers[slot]);
    worse = worse || (is && !was);
    better = better || (was && !is);
  }
  if (worse) return " takes a port rule out: a health check fails";
  return better ? " takes a port rule back: its health check holds again" : "";
}

void Host::note_rule(Notice::Kind kind, std::size_t slot, std::string text) {
  note(kind, 0, std::move(text));
  out_.notices.back().slot = slot;
}

// Said once when it begins and once when it ends.
void Host::tell_unserved() {
  const auto members = members_offers(view_.members);
  for (std::size_t slot = 0; slot < settings_.rules.size(); ++slot) {
    const bool all = all_are_unhealthy(slot, settings_.rules, members);
    if (all == all_unhealthy_said_[slot]) continue;
    all_unhealthy_said_[slot] = all;
    const auto& table = tables_[slot];
    const bool served = std::any_of(table.begin(), table.end(), [](HostId owner) { return owner != 0; });
    if (!all)
      note_rule(Notice::Kind::rule_served, slot, "a host is well again and serves");
    else if (served)
      note_rule(Notice::Kind::rule_served_as_last, slot,
                "every host fails its health check: the traffic is spread as if all were well");
    else
      note_rule(Notice::Kind::rule_unserved, slot, "every host fails its health check: nobody serves");
  }
}

}  // namespace nlb::core
