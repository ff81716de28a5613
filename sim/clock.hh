// SPDX-License-Identifier: Apache-2.0
// A host's own CLOCK_BOOTTIME beside the world's true time: it may run up to 10 % fast or slow (slewing), and
// stand still while the hypervisor keeps the machine from running.
#pragma once

#include "base/net.hh"

namespace nlb::sim {

class Clock {
 public:
  static constexpr int64_t kTrueRate = 1'000'000;  // parts per million

  [[nodiscard]] Nanos local(Nanos world) const {
    return local_ + (stopped_ ? 0 : scaled(world - world_, rate_, kTrueRate));
  }
  // The first instant of the world at which this clock shows `local` or more.
  [[nodiscard]] Nanos world_at(Nanos local) const {
    Nanos at = world_ + scaled(local - local_, kTrueRate, rate_);
    while (this->local(at) < local) ++at;
    return at;
  }
  void run_at(int64_t rate, Nanos world) {
    rebase(world);
    rate_ = rate;
  }
  void stop(Nanos world) {
    rebase(world);
    stopped_ = true;
  }
  void go_on(Nanos world) {
    world_ = world;
    stopped_ = false;
  }
  // As after the restore of a snapshot that was taken when this clock showed `local`.
  void set(Nanos local, Nanos world) {
    world_ = world;
    local_ = local;
  }
  // Keeps products within 64 bits; called now and then.
  void rebase(Nanos world) {
    local_ = local(world);
    world_ = world;
  }
  [[nodiscard]] int64_t rate() const { return rate_; }

 private:
  [[nodiscard]] static Nanos scaled(Nanos span, int64_t by, int64_t of) {
    const Nanos seconds = span / kSecond, rest = span % kSecond;
    return seconds * kSecond / of * by + rest * by / of;
  }
  Nanos world_ = 0, local_ = 0;
  int64_t rate_ = kTrueRate;
  bool stopped_ = false;
};

}  // namespace nlb::sim
