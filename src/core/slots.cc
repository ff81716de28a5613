// SPDX-License-Identifier: Apache-2.0
// Every filtering mode is a bucket table, so that the kernel knows one thing only: `multiple` spreads by
// weight, `single` and the default slot give all buckets to one host, `disabled` to nobody.
#include "core/slots.hh"

namespace nlb::core {
namespace {

OwnerTable all_to(HostId owner) {
  OwnerTable table;
  table.fill(owner);
  return table;
}

bool closed(uint8_t offer) {
  return offer == wire::kOfferDrained || offer == wire::kOfferDisabled;
}

HostId single_host(std::size_t slot, std::span<const MemberOffer> members) {
  const MemberOffer* best = nullptr;
  for (const MemberOffer& member : members) {
    if (!member.takes_new_flows || closed(member.offers[slot])) continue;
    if (best == nullptr || member.offers[slot] < best->offers[slot])
      best = &member;  // ties: lower id stands first
  }
  return best == nullptr ? HostId{0} : best->id;
}

}  // namespace

std::vector<std::size_t> slots_in_use(std::size_t rule_count) {
  std::vector<std::size_t> slots;
  for (std::size_t i = 0; i < rule_count; ++i) slots.push_back(i);
  slots.push_back(kDefaultSlot);
  slots.push_back(kEchoSlot);
  return slots;
}

HostId default_host(std::span<const MemberOffer> members) {
  for (const MemberOffer& member : members)
    if (member.takes_new_flows) return member.id;
  return 0;
}

uint32_t weight_of_offer(uint8_t offer) {
  if (offer == wire::kOfferEqual) return kEqualWeight;
  return offer <= kMaxWeight ? offer : 0;
}

OwnerTable owners_of_slot(std::size_t slot, std::span<const PortRule> rules,
                          std::span<const MemberOffer> members) {
  if (slot == kDefaultSlot) return all_to(default_host(members));
  const bool echo = slot == kEchoSlot;
  if (!echo && rules[slot].mode == FilteringMode::disabled) return all_to(0);
  if (!echo && rules[slot].mode == FilteringMode::single) return all_to(single_host(slot, members));
  std::vector<Share> shares;
  for (const MemberOffer& member : members) {
    const uint32_t weight = echo ? 1 : weight_of_offer(member.offers[slot]);
    shares.push_back({member.id, member.takes_new_flows ? weight : 0});
  }
  return assign_buckets(shares);
}

std::size_t slot_of_port(std::span<const PortRule> rules, const IpAddress& vip, uint8_t protocol,
                         uint16_t port) {
  constexpr uint8_t kTcp = 6, kUdp = 17;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const PortRule& rule = rules[i];
    const bool protocol_fits = (protocol == kTcp && rule.protocol != RuleProtocol::udp) ||
                               (protocol == kUdp && rule.protocol != RuleProtocol::tcp);
    if (protocol_fits && (!rule.vip || *rule.vip == vip) && port >= rule.first_port && port <= rule.last_port)
      return i;
  }
  return kDefaultSlot;
}

}  // namespace nlb::core
