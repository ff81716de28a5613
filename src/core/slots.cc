// SPDX-License-Identifier: Apache-2.0
// Every filtering mode is a bucket table, so that the kernel knows one thing only: `multiple` spreads by
// weight, `single` and the default slot give all buckets to one host, `disabled` to nobody.
#include "core/slots.hh"

#include <nlb/abi/portless.h>

namespace nlb::core {
namespace {

constexpr uint8_t kTcp = 6, kUdp = 17;

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

std::size_t slot_of_port(std::span<const PortRule> rules, const IpAddress& vip, RuleProtocol protocol,
                         uint16_t port) {
  std::size_t found = kDefaultSlot;
  for (std::size_t i = rules.size(); i-- > 0;) {
    const PortRule& rule = rules[i];
    const bool fits = (rule.protocol == RuleProtocol::both || rule.protocol == protocol) &&
                      port >= rule.first_port && port <= rule.last_port;
    if (fits && rule.vip && *rule.vip == vip) return i;
    if (fits && !rule.vip) found = i;
  }
  return found;
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

std::size_t slot_of_packet(std::span<const PortRule> rules, const IpAddress& vip, uint8_t protocol,
                           uint16_t port) {
  const auto of = [&](RuleProtocol ports, uint16_t number) {
    return slot_of_port(rules, vip, ports, number);
  };
  const std::size_t tcp = of(RuleProtocol::tcp, protocol == NLB_PROTOCOL_GRE ? NLB_PORT_PPTP : port);
  switch (protocol) {
    case kTcp:
    case NLB_PROTOCOL_GRE:
      return tcp;
    case kUdp:
      return of(RuleProtocol::udp, port);
    case NLB_PROTOCOL_ESP:
    case NLB_PROTOCOL_AH:
      return of(RuleProtocol::udp, NLB_PORT_IKE);
    case NLB_PROTOCOL_SCTP:
      return tcp == of(RuleProtocol::udp, port) ? tcp : kDefaultSlot;
    default:
      return kDefaultSlot;
  }
}

}  // namespace nlb::core
