// SPDX-License-Identifier: Apache-2.0
// How `nlb lab exec` talks to the agent in a guest: over one TCP connection, in frames of a kind, a length
// and bytes. The connection comes through QEMU's user network, from the switch's namespace to an adapter that
// the guest keeps in a namespace of its own: no fault of the lab's links cuts it, and streams may be many.
//
//   agent → greeting   the guest's boot id, as soon as it has accepted
//   lab   → run        the command as a JSON list; then input frames, an empty one is its end
//   agent → output, error, and at last exit (the code in decimal)
//   lab   → control    instead of run: from now on the raw bytes of nlbd's control socket, both ways
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hh"

namespace nlb::lab {

enum class FrameKind : uint8_t {
  greeting = 'G',
  run = 'R',
  control = 'C',
  input = 'I',
  output = 'O',
  error = 'E',
  exit = 'X'
};

struct AgentFrame {
  FrameKind kind{};
  std::string bytes;
};

inline constexpr uint16_t kAgentPort = 7000;  // in the guest
inline constexpr std::size_t kMaxFrameBytes = std::size_t{1} << 20;

[[nodiscard]] std::string frame_of(FrameKind kind, const std::string& bytes);
// Blocking; false or nothing when the connection is gone, or when what comes is no frame.
[[nodiscard]] bool write_all(int file, const void* bytes, std::size_t size);
[[nodiscard]] bool write_frame(int file, FrameKind kind, const std::string& bytes);
[[nodiscard]] std::optional<AgentFrame> read_frame(int file);
// The first frame of what has been received, taken off it: nothing while it is not whole, an error when it is
// no frame.
[[nodiscard]] Result<std::optional<AgentFrame>> take_frame(std::string& received);
// Reads what is there, at most 64 KiB: nothing on an error, "" at the end.
[[nodiscard]] std::optional<std::string> read_some(int file);
// Both ways, until either side has closed.
void splice(int one, int other);

}  // namespace nlb::lab
