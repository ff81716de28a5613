// SPDX-License-Identifier: Apache-2.0
// What a fuzzer asserts: a property that does not hold is found as a crash is, with its input kept.
#pragma once

#include <cstdlib>

namespace nlb::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace nlb::fuzz
