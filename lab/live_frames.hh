// SPDX-License-Identifier: Apache-2.0
// Frames at the rate of a fast adapter: a kernel program (XDP_TX) is run over live frames, so that they never
// are socket buffers on their way out. At a veth whose other end has native XDP (a host's port at the switch)
// they arrive as from a driver.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hh"

namespace nlb::lab {

class LiveFrames {
 public:
  [[nodiscard]] static Result<LiveFrames> open(unsigned interface_index);
  LiveFrames(LiveFrames&& other) noexcept;
  LiveFrames& operator=(LiveFrames&&) = delete;
  ~LiveFrames();
  // The same frame `count` times; how many the kernel took, before any adapter's queue.
  [[nodiscard]] std::size_t send(std::span<const uint8_t> frame, unsigned count) const;

 private:
  LiveFrames(int program, unsigned index) : program_(program), index_(index) {}
  int program_;
  unsigned index_;
};

}  // namespace nlb::lab
