// SPDX-License-Identifier: Apache-2.0
// The simulator's chance: the same numbers on every machine. Standard distributions are left alone, because
// what they make of a generator differs between libraries.
#pragma once

#include <array>
#include <cstdint>

#include "base/net.hh"

namespace nlb::sim {

// splitmix64's finalizer: spreads a counter or a seed over 64 bits.
[[nodiscard]] constexpr uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

class Random {  // xoshiro256**
 public:
  explicit Random(uint64_t seed) {
    for (auto& word : state_) word = seed = mix(seed);
  }

  uint64_t next() {
    const uint64_t result = rotated(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotated(state_[3], 45);
    return result;
  }
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>((next() >> 32) * bound >> 32); }
  Nanos between(Nanos low, Nanos high) {
    return high <= low ? low : low + static_cast<Nanos>(next() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(uint32_t parts_per_million) {
    return parts_per_million != 0 && below(1'000'000) < parts_per_million;
  }

 private:
  static constexpr uint64_t rotated(uint64_t value, int by) { return value << by | value >> (64 - by); }
  std::array<uint64_t, 4> state_{};
};

}  // namespace nlb::sim
