// SPDX-License-Identifier: Apache-2.0
// What a member's health checks have made of it, as its heartbeats say.
#pragma once

#include <string>

#include "core/slots.hh"

namespace nlb::core {

[[nodiscard]] Service service_of(const wire::Heartbeat& heartbeat);

// Why a view is another one, where health is why; "" = for another reason.
[[nodiscard]] std::string changed_health_text(const MemberOffer& before, const MemberOffer& now);

}  // namespace nlb::core
