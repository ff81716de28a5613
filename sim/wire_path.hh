// SPDX-License-Identifier: Apache-2.0
// From frames to bytes and back, by the shipped codec, for hosts of two versions of the protocol. A heartbeat
// is signed once and read by many with one outcome, so what is undamaged is read once; and as signing costs
// more than all the rest, every eighth frame goes this way, and every frame that something happens to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/random.hh"
#include "wire/codec.hh"

namespace nlb::sim {

class WirePath {
 public:
  WirePath();
  ~WirePath();

  // The bytes that a host of this version sends.
  [[nodiscard]] std::vector<uint8_t> encode(const wire::Frame& frame, bool next_minor) const;
  // What a host of this version understands.
  [[nodiscard]] tl::expected<wire::Frame, wire::Refusal> decode(const std::vector<uint8_t>& bytes,
                                                                bool next_minor) const;
  // Encodes and decodes; the frame must come out as it went in. Returns what went wrong, or "".
  [[nodiscard]] std::string round_trip(const wire::Frame& frame, bool sender_next, bool receiver_next,
                                       std::vector<uint8_t>& bytes) const;
  // What somebody without the key makes up.
  [[nodiscard]] std::vector<uint8_t> forge(const std::vector<uint8_t>& recorded, Random& random) const;

 private:
  struct Codecs;
  std::unique_ptr<Codecs> codecs_;
};

}  // namespace nlb::sim
