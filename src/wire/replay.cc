// SPDX-License-Identifier: Apache-2.0
// The judge of sequence numbers; what it decides and why is said in the header.
#include "wire/replay.hh"

namespace nlb::wire {

void NewestHeard::begin(uint64_t incarnation, uint64_t sequence) {
  incarnation_ = incarnation;
  sequence_ = sequence;
}

bool NewestHeard::accept(uint64_t sequence) {
  if (!newer(sequence)) return false;
  sequence_ = sequence;
  return true;
}

std::optional<uint64_t> widen_echo(uint32_t low_bits, uint64_t newest_sent) {
  constexpr uint64_t kSpan = uint64_t{1} << 32;
  const uint64_t candidate = (newest_sent & ~(kSpan - 1)) | low_bits;
  if (candidate <= newest_sent) return candidate;
  if (candidate < kSpan) return std::nullopt;
  return candidate - kSpan;
}

}  // namespace nlb::wire
