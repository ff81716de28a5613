// SPDX-License-Identifier: Apache-2.0
// From what the filter is told to what the switch is told of it: the same buckets for the same packets.
#pragma once

#include "core/bucket_state.hh"
#include "datapath/datapath.hh"
#include "wire/steering_announcement.hh"

namespace nlb {

[[nodiscard]] wire::SteeringRules steering_rules_of(const FilterConfig& config);
// Where the filter may accept something.
[[nodiscard]] BucketSet accepting(const SlotStates& states);

}  // namespace nlb
