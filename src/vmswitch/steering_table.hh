// SPDX-License-Identifier: Apache-2.0
// From what a member announced to what the kernel reads of it (<nlb/abi/steering.h>). Pure.
#pragma once

#include <nlb/abi/steering.h>

#include <memory>

#include "wire/steering_announcement.hh"

namespace nlb::vmswitch {

[[nodiscard]] std::unique_ptr<nlb_steering_config> steering_config_of(const wire::SteeringRules& rules);
[[nodiscard]] nlb_steering_row steering_row_of(uint32_t generation, const std::bitset<kBucketCount>& accepts);
// Of the same slot; `earlier` gathers what the members at earlier ports accept. True: the row is another now.
bool mark_replicas(nlb_steering_row& row, nlb_steering_row& earlier);

}  // namespace nlb::vmswitch
