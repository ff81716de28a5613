// SPDX-License-Identifier: Apache-2.0
// From rules and what each member offers to one owner table a slot. A slot is a configured rule or one of the
// two implicit rules: the default host's traffic, and ICMP echo.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "core/assignment.hh"
#include "core/config.hh"
#include "wire/heartbeat.hh"

namespace nlb::core {

struct MemberOffer {
  HostId id = 0;
  bool takes_new_flows = true;  // false while draining or unhealthy
  std::array<uint8_t, kMaxRules> offers{};
};

// Slots in use with `rule_count` rules: 0..rule_count-1, kDefaultSlot, kEchoSlot.
[[nodiscard]] std::vector<std::size_t> slots_in_use(std::size_t rule_count);

// The host that takes what no rule matches: the smallest id that takes new flows; 0 = none.
[[nodiscard]] HostId default_host(std::span<const MemberOffer> members);

// `members` ascend by id.
[[nodiscard]] OwnerTable owners_of_slot(std::size_t slot, std::span<const PortRule> rules,
                                        std::span<const MemberOffer> members);

// Load weight that an offer byte of a `multiple` rule stands for.
[[nodiscard]] uint32_t weight_of_offer(uint8_t offer);

// Which slot a packet falls into; a rule that names the VIP goes before one for all. `protocol` is IP's
// number, but for ICMP; `port` the destination's, where the protocol has ports (docs/operating/protocols.md).
[[nodiscard]] std::size_t slot_of_packet(std::span<const PortRule> rules, const IpAddress& vip,
                                         uint8_t protocol, uint16_t port);

}  // namespace nlb::core
