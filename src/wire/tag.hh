// SPDX-License-Identifier: Apache-2.0
// The tag behind a frame, by which a kernel filter tells the cluster's frames from all others without the
// HMAC: SipHash-2-4 over header and signature. It opens a way in and proves nothing: the codec judges the
// signature as if there were no tag. A receiver that does not know it takes it for padding.
#pragma once

#include <cstdint>
#include <vector>

#include "core/config.hh"
#include "wire/signature.hh"

namespace nlb::wire {

struct TagKey {
  KeyId id{};
  std::array<uint8_t, 16> octets{};  // derived: who reads it in the kernel cannot sign with it
};

[[nodiscard]] std::vector<TagKey> tag_keys_of(const KeySet& keys);  // in their order
// `frame` ends with its signature; the tag goes behind it, where there is room (there is behind heartbeats
// and held parts): without one, a frame has a stranger's budget.
void append_tag(const TagKey& key, std::vector<uint8_t>& frame);

}  // namespace nlb::wire
