// SPDX-License-Identifier: Apache-2.0
// Frames as lines of text, "name value", for vectors and for comparison with the oracle (oracle.py writes the
// same).
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "wire/heartbeat.hh"

namespace nlb::wire {

[[nodiscard]] std::string text_of_frame(const Frame& frame);
// Reads one frame, up to an empty line, a line "bytes …" (left unread) or the end. nullopt at the end or
// after a line that it does not understand.
[[nodiscard]] std::optional<Frame> read_frame_text(std::istream& in);

[[nodiscard]] std::string hex_of(std::span<const uint8_t> bytes);
[[nodiscard]] std::vector<uint8_t> bytes_of_hex(std::string_view hex);

}  // namespace nlb::wire
