// SPDX-License-Identifier: Apache-2.0
// What happened, as one number and, when asked for, as a story. The number takes in every delivery, decision
// and change with its time, so two runs with one hash did the same.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "sim/random.hh"

namespace nlb::sim {

class Trace {
 public:
  bool told = false;  // the story goes to standard output

  void mark(uint64_t what, uint64_t value) {
    hash_ = (hash_ ^ what) * 0x9fb21c651e98df25u;
    hash_ = (hash_ ^ (hash_ >> 29) ^ value) * 0xd6e8feb86659fd93u;
  }
  void tell(Nanos now, const std::string& text) {
    for (const char c : text) hash_ = (hash_ ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
    if (!told) return;
    const long long us = now / 1000;
    std::printf("%6lld.%06lld %s\n", us / 1'000'000, us % 1'000'000, text.c_str());
  }
  [[nodiscard]] uint64_t hash() const { return mix(hash_); }

 private:
  uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace nlb::sim
