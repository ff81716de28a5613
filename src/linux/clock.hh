// SPDX-License-Identifier: Apache-2.0
// The clocks: what is decided rests on the first, what people read on the second, what work costs on the
// third.
#pragma once

#include <cstdint>

#include "base/net.hh"

namespace nlb {

[[nodiscard]] Nanos boottime_now();  // CLOCK_BOOTTIME: goes on while the machine is suspended, is never set
[[nodiscard]] int64_t unix_ms();     // the wall clock; may be set forwards and backwards
[[nodiscard]] Nanos thread_time();   // of a processor that the calling thread has used

}  // namespace nlb
