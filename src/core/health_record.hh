// SPDX-License-Identifier: Apache-2.0
// What the results of one health check amount to. Pure: the time is an argument.
//
// `fall` failures in a row take the service out, `rise` successes in a row take it back. The first result of
// all decides alone: until it is there nothing is known. Flaps are damped: a service that fails again within
// the flap window after it rose needs twice as many successes the next time, up to 32 times `rise`; one that
// stays well for the window is trusted as before.
#pragma once

#include "base/net.hh"
#include "core/health_check.hh"

namespace nlb::core {

enum class Health : uint8_t { checking, healthy, unhealthy };

class HealthRecord {
 public:
  // `counts_as_healthy`: what it counts as until the first result. At the start of the daemon nothing is
  // known, so nothing is served; a check that a reload adds takes nothing away before it has failed.
  HealthRecord(const HealthCheck& check, bool counts_as_healthy);

  // True when healthy() has changed by it.
  bool on_result(bool good, Nanos now);

  [[nodiscard]] Health health() const { return health_; }
  [[nodiscard]] bool healthy() const;
  [[nodiscard]] uint32_t in_a_row() const { return in_a_row_; }  // results that speak against health()
  [[nodiscard]] uint32_t needed() const;                         // so many of them change it
  [[nodiscard]] uint32_t flaps() const { return flaps_; }        // damping now: rise is needed 2^flaps times
  [[nodiscard]] Nanos since() const { return since_; }           // of health()

 private:
  bool become(Health health, Nanos now);

  uint32_t fall_, rise_;
  Nanos flap_window_;
  bool assumed_;
  Health health_ = Health::checking;
  bool rose_ = false;  // was taken out and came back: only then can it flap
  uint32_t in_a_row_ = 0, flaps_ = 0;
  Nanos since_ = 0;
};

}  // namespace nlb::core
