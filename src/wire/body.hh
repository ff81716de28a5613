// SPDX-License-Identifier: Apache-2.0
// What stands between header and signature: one body a frame type, and the range of every field.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.hh"
#include "wire/bytes.hh"
#include "wire/heartbeat.hh"

namespace nlb::wire {

// Whether every field is within its range (docs/protocol/heartbeat.md). One judge for both directions: a
// frame that we would refuse is never sent.
[[nodiscard]] bool in_range(const Heartbeat& heartbeat);
[[nodiscard]] bool in_range(const HeldPart& part);
[[nodiscard]] bool in_range(const MessagePart& part);

void write_body(Writer& to, const Heartbeat& heartbeat);
void write_body(Writer& to, const HeldPart& part);
void write_body(Writer& to, const MessagePart& part);

// Only for bytes whose signature has been verified. `minor` is the sender's minor version: a newer one may
// have appended fields, which are skipped; an older one lacks those that this version appends.
[[nodiscard]] tl::expected<Heartbeat, Refusal> read_heartbeat(std::span<const uint8_t> body,
                                                              const Header& header, uint8_t minor);
[[nodiscard]] tl::expected<HeldPart, Refusal> read_held_part(std::span<const uint8_t> body,
                                                             const Header& header, uint8_t minor, bool kept);
[[nodiscard]] tl::expected<MessagePart, Refusal> read_message_part(std::span<const uint8_t> body,
                                                                   const Header& header, uint8_t minor);

}  // namespace nlb::wire
