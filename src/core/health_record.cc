// SPDX-License-Identifier: Apache-2.0
#include "core/health_record.hh"

#include <algorithm>

namespace nlb::core {
namespace {

constexpr uint32_t kMostFlaps = 5;  // that count: 2^5 times `rise`

}  // namespace

HealthRecord::HealthRecord(const HealthCheck& check, bool counts_as_healthy)
    : fall_(check.fall),
      rise_(check.rise),
      flap_window_(check.flap_window_s * kSecond),
      assumed_(counts_as_healthy) {}

bool HealthRecord::healthy() const {
  return health_ == Health::checking ? assumed_ : health_ == Health::healthy;
}

uint32_t HealthRecord::needed() const {
  if (health_ == Health::checking) return 1;
  return health_ == Health::healthy ? fall_ : rise_ << flaps_;
}

bool HealthRecord::on_result(bool good, Nanos now) {
  if (health_ != Health::checking && good == (health_ == Health::healthy)) {
    in_a_row_ = 0;
    return false;
  }
  ++in_a_row_;
  if (in_a_row_ < needed()) return false;
  return become(good ? Health::healthy : Health::unhealthy, now);
}

bool HealthRecord::become(Health health, Nanos now) {
  const bool before = healthy();
  if (health == Health::unhealthy) {
    const bool again = rose_ && now - since_ < flap_window_;
    flaps_ = again ? std::min(flaps_ + 1, kMostFlaps) : 0;
  } else {
    rose_ = health_ == Health::unhealthy;
  }
  health_ = health;
  in_a_row_ = 0;
  since_ = now;
  return healthy() != before;
}

}  // namespace nlb::core
