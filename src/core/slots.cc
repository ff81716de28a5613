// SPDX-License-Identifier: Apache-2.0
// Every filtering mode is a bucket table, so that the kernel knows one thing only: `multiple` spreads by
// weight, `single` and the default slot give all buckets to one host, `disabled` to nobody. Where a health
// check can fail there are two turns: who is well; and when that is nobody, who serves as last.
#include "core/slots.hh"

#include <nlb/abi/portless.h>

#include <algorithm>

namespace nlb::core {
namespace {

constexpr uint8_t kTcp = 6, kUdp = 17;

OwnerTable all_to(HostId owner) {
  OwnerTable table;
  table.fill(owner);
  return table;
}

enum class Turn : uint8_t { well, as_last };

// What the member offers in that turn; nullopt = nothing, as it is out, drained or disabled.
std::optional<uint8_t> offer_in(Turn turn, uint8_t offer) {
  if (offer <= wire::kOfferEqual) return offer;  // whoever is well is so in both
  if (turn == Turn::as_last && wire::is_offer_as_last(offer))
    return static_cast<uint8_t>(offer - wire::kOfferAsLast);
  return std::nullopt;
}

HostId single_host(Turn turn, std::size_t slot, std::span<const MemberOffer> members) {
  HostId best = 0;
  uint8_t lowest = 0;
  for (const MemberOffer& member : members) {
    const auto priority = offer_in(turn, member.offers[slot]);
    if (!member.takes_new_flows || !priority) continue;
    if (best != 0 && *priority >= lowest) continue;  // ties: lower id stands first
    best = member.id;
    lowest = *priority;
  }
  return best;
}

bool serves(Turn turn, const MemberOffer& member) {
  const bool in =
      member.service == Service::in || (turn == Turn::as_last && member.service == Service::as_last);
  return member.takes_new_flows && in;
}

std::vector<Share> shares_of(Turn turn, std::size_t slot, std::span<const MemberOffer> members) {
  std::vector<Share> shares;
  for (const MemberOffer& member : members) {
    uint32_t weight = 0;
    if (slot == kEchoSlot) {
      weight = serves(turn, member) ? 1 : 0;
    } else if (const auto offer = offer_in(turn, member.offers[slot]); offer && member.takes_new_flows) {
      weight = weight_of_offer(*offer);
    }
    shares.push_back({member.id, weight});
  }
  return shares;
}

bool nobody_in(const std::vector<Share>& shares) {
  return std::all_of(shares.begin(), shares.end(), [](const Share& share) { return share.weight == 0; });
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
  for (const Turn turn : {Turn::well, Turn::as_last})
    for (const MemberOffer& member : members)
      if (serves(turn, member)) return member.id;
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
  if (!echo && rules[slot].mode == FilteringMode::single) {
    const HostId well = single_host(Turn::well, slot, members);
    return all_to(well != 0 ? well : single_host(Turn::as_last, slot, members));
  }
  const auto well = shares_of(Turn::well, slot, members);
  return assign_buckets(nobody_in(well) ? shares_of(Turn::as_last, slot, members) : well);
}

bool all_are_unhealthy(std::size_t slot, std::span<const PortRule> rules,
                       std::span<const MemberOffer> members) {
  if (rules[slot].mode == FilteringMode::disabled) return false;
  const bool any = std::any_of(members.begin(), members.end(), [&](const MemberOffer& member) {
    return member.takes_new_flows && wire::is_unhealthy_offer(member.offers[slot]);
  });
  const bool single = rules[slot].mode == FilteringMode::single;
  return any && (single ? single_host(Turn::well, slot, members) == 0
                        : nobody_in(shares_of(Turn::well, slot, members)));
}

std::optional<uint8_t> priority_of_offer(uint8_t offer) {
  return offer_in(Turn::as_last, offer);
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
