// SPDX-License-Identifier: Apache-2.0
// Changes the bytes of a frame and signs it again, to reach what lies behind the signature.
#pragma once

#include <vector>

#include "sample_frames.hh"
#include "wire/layout.hh"
#include "wire/signature.hh"

namespace nlb::wire {

// Replaces length and signature of a frame whose signature has been cut off.
inline std::vector<uint8_t> signed_again(std::vector<uint8_t> unsigned_frame) {
  const std::size_t total = unsigned_frame.size() + kSignatureBytes;
  unsigned_frame[kLengthOffset] = static_cast<uint8_t>(total >> 8);
  unsigned_frame[kLengthOffset + 1] = static_cast<uint8_t>(total);
  const auto signature = Signer(sample_keys().keys[0]).sign(unsigned_frame);
  unsigned_frame.insert(unsigned_frame.end(), signature.begin(), signature.end());
  return unsigned_frame;
}

// A frame without its signature.
inline std::vector<uint8_t> unsigned_bytes(const Frame& frame) {
  auto bytes = Codec(sample_keys(), "web", sample_vip()).encode(frame);
  bytes.resize(bytes.size() - kSignatureBytes);
  return bytes;
}

}  // namespace nlb::wire
