// SPDX-License-Identifier: Apache-2.0
// What a host offers while some of its health checks fail.
#pragma once

#include <array>
#include <span>

#include "core/health_check.hh"
#include "core/slots.hh"

namespace nlb::core {

struct FailedCheck {
  std::size_t slot = 0;  // of the rule that it belongs to
  OnHealthFailure on_failure = OnHealthFailure::rule;
  AllDown all_down = AllDown::closed;
};

struct HealthOffers {
  std::array<uint8_t, kMaxRules> offers{};
  Service service = Service::in;  // of the host as a whole
};

// `offers`: what the host would offer if it were well. What an administrator drained or disabled stays so.
// Where several checks fail, all of them must say open for the host to serve as last.
[[nodiscard]] HealthOffers offers_with(std::span<const FailedCheck> failed,
                                       const std::array<uint8_t, kMaxRules>& offers, std::size_t rule_count);

}  // namespace nlb::core
