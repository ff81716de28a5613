// SPDX-License-Identifier: Apache-2.0
// Old frames stay old. Per sender and incarnation the sequence number must grow.
//
// No window for frames that overtake each other (as WireGuard or IPsec keep one): a heartbeat is the sender's
// whole state, so one that is older than the newest heard carries nothing but a chance to mislead. Whether a
// new incarnation is believed is decided by the core, by the echo (docs/protocol/heartbeat.md, step 10).
#pragma once

#include <cstdint>
#include <optional>

namespace nlb::wire {

class NewestHeard {
 public:
  // A new incarnation has been believed, with this frame. What was heard of earlier ones is forgotten.
  void begin(uint64_t incarnation, uint64_t sequence);

  [[nodiscard]] bool knows(uint64_t incarnation) const { return incarnation_ == incarnation; }
  // Whether a frame of the known incarnation with this number is newer than all before. Numbers do not wrap:
  // after 2^64 - 1 nothing is newer, the sender begins a new incarnation.
  [[nodiscard]] bool newer(uint64_t sequence) const {
    return incarnation_.has_value() && sequence > sequence_;
  }
  // newer(), and if so remembered.
  [[nodiscard]] bool accept(uint64_t sequence);

  [[nodiscard]] std::optional<uint64_t> incarnation() const { return incarnation_; }
  [[nodiscard]] uint64_t sequence() const { return sequence_; }

 private:
  std::optional<uint64_t> incarnation_;
  uint64_t sequence_ = 0;
};

// A peer report carries the low 32 bits of what it echoes. Returns the newest number not above `newest_sent`
// that has these low bits; nullopt when there is none (an echo of what was never sent).
[[nodiscard]] std::optional<uint64_t> widen_echo(uint32_t low_bits, uint64_t newest_sent);

}  // namespace nlb::wire
