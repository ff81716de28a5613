// SPDX-License-Identifier: Apache-2.0
// Handling priorities that two members share. Windows NLB does not converge then; here the lower host id
// takes the rule, on every host alike, and somebody is told: what was meant is known to nobody.
#include <map>

#include "core/host.hh"

namespace nlb::core {

// Said once for as long as the same two clash.
void Host::tell_duplicate_priorities() {
  const auto members = members_offers(view_.members);
  for (std::size_t slot = 0; slot < settings_.rules.size(); ++slot) {
    if (settings_.rules[slot].mode != FilteringMode::single) continue;
    std::map<uint8_t, HostId> first_with;
    std::pair<HostId, HostId> clash{};
    for (const MemberOffer& member : members) {
      const auto priority = priority_of_offer(member.offers[slot]);
      if (!priority) continue;
      const auto [other, is_first] = first_with.try_emplace(*priority, member.id);
      if (!is_first && clash.first == 0) clash = {other->second, member.id};
    }
    auto& said = clash_said_[slot];
    if (clash == said) continue;
    said = clash;
    if (clash.first == 0) continue;
    const auto priority = priority_of_offer(members_offers(bit_of(clash.first)).front().offers[slot]);
    note_rule(Notice::Kind::duplicate_priority, slot,
              "hosts " + std::to_string(clash.first) + " and " + std::to_string(clash.second) +
                  " have the handling priority " + std::to_string(*priority) + " both; host " +
                  std::to_string(clash.first) + " goes before host " + std::to_string(clash.second));
  }
}

}  // namespace nlb::core
