// SPDX-License-Identifier: Apache-2.0
// The name of one life of a daemon: later ones are greater, and no two of one second are alike.
#pragma once

#include <cstdint>
#include <fstream>

#include "linux/clock.hh"

namespace nlb {

// A number that nobody can foretell.
template <typename T>
[[nodiscard]] T random_number() {
  std::ifstream random("/dev/urandom", std::ios::binary);
  T number = 0;
  random.read(reinterpret_cast<char*>(&number), sizeof number);
  return number;
}

[[nodiscard]] inline uint64_t new_incarnation() {
  return static_cast<uint64_t>(unix_ms() / 1000) << 32 | random_number<uint32_t>();
}

}  // namespace nlb
