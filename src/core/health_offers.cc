// SPDX-License-Identifier: Apache-2.0
#include "core/health_offers.hh"

#include <algorithm>

namespace nlb::core {
namespace {

// The worse of the two: as the enumerators stand.
void worsen(Service& service, AllDown all_down) {
  service = std::max(service, all_down == AllDown::open ? Service::as_last : Service::out);
}

}  // namespace

HealthOffers offers_with(std::span<const FailedCheck> failed, const std::array<uint8_t, kMaxRules>& offers,
                         std::size_t rule_count) {
  HealthOffers result{offers, Service::in};
  for (const FailedCheck& check : failed)
    if (check.on_failure == OnHealthFailure::host) worsen(result.service, check.all_down);
  for (std::size_t slot = 0; slot < rule_count; ++slot) {
    Service service = result.service;
    for (const FailedCheck& check : failed)
      if (check.slot == slot) worsen(service, check.all_down);
    if (service == Service::in || offers[slot] > wire::kOfferEqual) continue;
    result.offers[slot] =
        service == Service::as_last ? wire::offer_as_last(offers[slot]) : wire::kOfferUnhealthy;
  }
  return result;
}

}  // namespace nlb::core
