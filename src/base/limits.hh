// SPDX-License-Identifier: Apache-2.0
// Every bound of the system, once. Those that the kernel programs share come from the ABI header.
#pragma once

#include <nlb/abi/limits.h>

#include <cstddef>
#include <cstdint>

namespace nlb {

inline constexpr std::size_t kMaxHosts = NLB_MAX_HOSTS;  // host ids are 1..kMaxHosts
inline constexpr std::size_t kMaxRules = NLB_MAX_RULES;  // configured port rules
inline constexpr std::size_t kMaxSlots = NLB_MAX_SLOTS;  // rules, then the two implicit ones
inline constexpr std::size_t kBucketCount = NLB_BUCKET_COUNT;
inline constexpr std::size_t kMaxVips = NLB_MAX_VIPS;
inline constexpr std::size_t kDefaultSlot = NLB_SLOT_DEFAULT;  // traffic that no rule matches
inline constexpr std::size_t kEchoSlot = NLB_SLOT_ECHO;        // ICMP echo

inline constexpr uint32_t kMinPeriodMs = 10, kMaxPeriodMs = 10000;
inline constexpr uint32_t kMinTolerance = 3, kMaxTolerance = 100;
inline constexpr uint32_t kMaxWeight = 100, kEqualWeight = 50;  // "equal" beside numbers counts as 50
inline constexpr uint32_t kMaxAffinityTimeoutS = 14400;
inline constexpr std::size_t kMinMtu = 1500;  // a heartbeat of 64 hosts fits this

}  // namespace nlb
