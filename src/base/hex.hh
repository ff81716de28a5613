// SPDX-License-Identifier: Apache-2.0
// Octets as text.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace nlb {

// Two digits an octet, in the order given, lower case, without a prefix.
[[nodiscard]] inline std::string hex_of(std::span<const uint8_t> octets) {
  std::string text;
  text.reserve(2 * octets.size());
  for (const uint8_t octet : octets)
    for (const int shift : {4, 0}) text += "0123456789abcdef"[octet >> shift & 15];
  return text;
}

}  // namespace nlb
