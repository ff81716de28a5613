// SPDX-License-Identifier: Apache-2.0
// A member tells the switch that it is plugged into which life of which host it is, with a number that nobody
// else hears; the switch tells a member, with that number, that the port of another one is fenced. Format and
// receiver's steps: docs/protocol/fence-notice.md; why it may be believed: docs/decisions/0018.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

#include "base/net.hh"

namespace nlb::wire {

struct PortPresence {  // of a member, to its switch
  HostId host = 0;
  uint32_t period_ms = 0;   // between its heartbeats
  uint32_t silence_ms = 0;  // after which others give it up: its lease is shorter
  uint64_t incarnation = 0, nonce = 0;

  bool operator==(const PortPresence&) const = default;
};

struct FenceNotice {  // of a switch, to a member
  HostId host = 0;    // whose port is fenced; the member's own id: it was, itself
  uint64_t incarnation = 0;
  uint64_t nonce = 0;  // of the newest presence of the member that is told

  bool operator==(const FenceNotice&) const = default;
};

//  X(enumerator, text): why a frame is neither, in the order of the receiver's steps
#define NLB_FENCE_REFUSALS(X)                                \
  X(short_frame, "shorter than what it claims to be")        \
  X(bad_magic, "neither a presence nor a notice of a fence") \
  X(other_version, "of another major version")               \
  X(bad_length, "its length is not what it states")          \
  X(bad_field, "a host id or a time that no member has")
enum class FenceRefusal : uint8_t {
#define NLB_FENCE_REFUSAL_ENUM(name, text) name,
  NLB_FENCE_REFUSALS(NLB_FENCE_REFUSAL_ENUM)
#undef NLB_FENCE_REFUSAL_ENUM
};
[[nodiscard]] std::string_view text_of(FenceRefusal refusal);

// Ethernet payloads.
[[nodiscard]] std::vector<uint8_t> encode(const PortPresence& presence);
[[nodiscard]] std::vector<uint8_t> encode(const FenceNotice& notice);
// Octets that a later minor version has appended, and padding, are passed over.
using FenceFrame = std::variant<PortPresence, FenceNotice>;
[[nodiscard]] tl::expected<FenceFrame, FenceRefusal> decode_fence_frame(std::span<const uint8_t> payload);

}  // namespace nlb::wire
