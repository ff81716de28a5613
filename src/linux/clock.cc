// SPDX-License-Identifier: Apache-2.0
#include "linux/clock.hh"

#include <ctime>

namespace nlb {
namespace {

Nanos read_clock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

}  // namespace

Nanos boottime_now() {
  return read_clock(CLOCK_BOOTTIME);
}

Nanos thread_time() {
  return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int64_t unix_ms() {
  return read_clock(CLOCK_REALTIME) / kMillisecond;
}

}  // namespace nlb
