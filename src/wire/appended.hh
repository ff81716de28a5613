// SPDX-License-Identifier: Apache-2.0
// The end of a body, where a minor version appends fields, after all lists, and so that nothing before moves.
// Minor 0 appends nothing. Minor 1 exists in test builds only (NLB_WIRE_MINOR=1): it appends four bytes and
// so proves, against minor 0, that each understands the other.
#pragma once

#include "wire/bytes.hh"
#include "wire/layout.hh"

namespace nlb::wire {

inline void write_appended(Writer& to) {
  if constexpr (kAppendedBytes != 0) to.put(kAppendedProbe);
}

// Whether what is left is what a sender of that minor version leaves: more than we know from a newer one,
// exactly what we know from our own, nothing of ours from an older one.
[[nodiscard]] inline bool read_appended(Reader& from, uint8_t minor) {
  if (minor < kVersionMinor) return from.left() == 0;
  if (from.left() < kAppendedBytes) return false;
  if constexpr (kAppendedBytes != 0) {
    if (from.get<uint32_t>() != kAppendedProbe) return false;
  }
  return minor > kVersionMinor || from.left() == 0;
}

}  // namespace nlb::wire
