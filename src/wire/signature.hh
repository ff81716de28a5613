// SPDX-License-Identifier: Apache-2.0
// Who may speak: HMAC-SHA256 with the cluster's key, cut to 16 bytes, over every byte before it.
//
// One key is shared by all hosts; keys per sender are not derived from it. They would stop a frame from being
// reflected to its sender as if a peer had said it, but the sender's id is inside the signed bytes, so a
// reflected frame still names its sender, and the core refuses frames that carry its own id and incarnation
// (own_frame).
#pragma once

#include <openssl/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "wire/layout.hh"

namespace nlb::wire {

using KeyId = std::array<uint8_t, kKeyIdBytes>;
using ClusterId = std::array<uint8_t, kClusterIdBytes>;
using Signature = std::array<uint8_t, kSignatureBytes>;
using Sha256 = std::array<uint8_t, 32>;

// SHA-256 over a purpose ("opennlb key id"), then the data: digests of different purposes never collide.
[[nodiscard]] Sha256 digest_for(std::string_view purpose, std::span<const uint8_t> data);
[[nodiscard]] KeyId key_id_of(std::span<const uint8_t, 32> key);
[[nodiscard]] ClusterId cluster_id_of(std::string_view name, const IpAddress& primary_vip);

// One key, set up once; libcrypto wipes its copy when this goes. Not for several threads at once.
class Signer {
 public:
  explicit Signer(std::span<const uint8_t, 32> key);
  [[nodiscard]] const KeyId& id() const { return id_; }
  [[nodiscard]] Signature sign(std::span<const uint8_t> bytes) const;
  [[nodiscard]] bool verify(std::span<const uint8_t> bytes, std::span<const uint8_t> signature) const;

 private:
  struct FreeContext {
    void operator()(EVP_MAC_CTX* context) const;
  };
  KeyId id_;
  std::unique_ptr<EVP_MAC_CTX, FreeContext> context_;
};

}  // namespace nlb::wire
