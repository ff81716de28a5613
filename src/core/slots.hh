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

// As last: out, but serves all the same when every other member that takes new flows is out too.
enum class Service : uint8_t { in = 0, as_last = 1, out = 2 };

struct MemberOffer {
  HostId id = 0;
  bool takes_new_flows = true;    // false while draining, or deaf to the cluster MAC
  Service service = Service::in;  // what health checks with effect on the whole host say
  std::array<uint8_t, kMaxRules> offers{};
};

// Slots in use with `rule_count` rules: 0..rule_count-1, kDefaultSlot, kEchoSlot.
[[nodiscard]] std::vector<std::size_t> slots_in_use(std::size_t rule_count);

// The host that takes what no rule matches: the smallest id that takes new flows and is in service, or else
// serves as last; 0 = none.
[[nodiscard]] HostId default_host(std::span<const MemberOffer> members);

// `members` ascend by id.
[[nodiscard]] OwnerTable owners_of_slot(std::size_t slot, std::span<const PortRule> rules,
                                        std::span<const MemberOffer> members);

// True when no member that is well takes new flows of this slot, but some that have failed a health check do
// or would: what is done then was configured with the check (all_down).
[[nodiscard]] bool all_are_unhealthy(std::size_t slot, std::span<const PortRule> rules,
                                     std::span<const MemberOffer> members);

// Load weight that an offer byte of a `multiple` rule stands for.
[[nodiscard]] uint32_t weight_of_offer(uint8_t offer);

// Handling priority that an offer byte of a `single` rule stands for, also of a host that is unhealthy;
// nullopt = none is offered.
[[nodiscard]] std::optional<uint8_t> priority_of_offer(uint8_t offer);

// Which slot a packet falls into; a rule that names the VIP goes before one for all. `protocol` is IP's
// number, but for ICMP; `port` the destination's, where the protocol has ports (docs/operating/protocols.md).
[[nodiscard]] std::size_t slot_of_packet(std::span<const PortRule> rules, const IpAddress& vip,
                                         uint8_t protocol, uint16_t port);

}  // namespace nlb::core
