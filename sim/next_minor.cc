// SPDX-License-Identifier: Apache-2.0
// Compiled with -Dwire=wire_next: every wire:: below is the next minor version's.
#include "sim/next_minor.hh"

#include "wire/codec.hh"

namespace nlb::sim {

std::optional<std::vector<uint8_t>> through_next_minor(std::span<const uint8_t> bytes) {
  static_assert(wire::kVersionMinor == 1);
  static const wire::Codec codec = [] {
    KeySet keys;
    keys.keys.emplace_back().fill(0x5a);
    return wire::Codec(keys, "sim", IpAddress::v4(0x0a4d0064));
  }();
  const auto frame = codec.decode(bytes);
  if (!frame) return std::nullopt;
  return codec.encode(*frame);
}

}  // namespace nlb::sim
