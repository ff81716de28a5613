// SPDX-License-Identifier: Apache-2.0
// Sizes of what is on the wire, and the proof that the largest frame fits an Ethernet frame.
// The diagrams are in docs/protocol/heartbeat.md; a change here is a change there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/heartbeat.hh"

namespace nlb::wire {

enum class FrameType : uint8_t { heartbeat = 1, held_part = 2, message_part = 3, kept_part = 4 };

inline constexpr uint32_t kMagic = 0x4f4e4c42;  // "ONLB"
inline constexpr std::size_t kKeyIdBytes = 8;
inline constexpr std::size_t kClusterIdBytes = 8;
inline constexpr std::size_t kSignatureBytes = 16;  // HMAC-SHA256, the first half

// Header: magic 4, version 1+1, type 1, sender 1, total length 2, reserved 2, key id 8, cluster id 8,
// incarnation 8, sequence 8.
inline constexpr std::size_t kHeaderBytes = 4 + 2 + 1 + 1 + 2 + 2 + kKeyIdBytes + kClusterIdBytes + 8 + 8;
inline constexpr std::size_t kLengthOffset = 8;

// Bytes that a minor version appends to the end of a body, after all lists. Minor 1 exists in test builds
// only.
constexpr std::size_t kAppendedBytes = kVersionMinor >= 1 ? 4 : 0;
inline constexpr uint32_t kAppendedProbe = 0x70726f62;

// Flags 2, state 1, phase 1, view 4, members 8, digest 8, mode 1, peer count 1, period 2, tolerance 2, hold
// 2, digests 3 × 4, configuration generation 4, offer generation 4, held generation 2, held parts 2,
// dedicated IP 16, adapter MAC 6, kept generation 1, kept parts 1, offers.
inline constexpr std::size_t kHeartbeatFixedBytes =
    2 + 1 + 1 + 4 + 8 + 8 + 1 + 1 + 2 + 2 + 2 + 3 * 4 + 4 + 4 + 2 + 2 + 16 + 6 + 2 + kMaxRules;
// Id 1, phase, accusation and kept generation 1, held generation 2, incarnation 4, sequence 4, view 4.
inline constexpr std::size_t kPeerBytes = 1 + 1 + 2 + 4 + 4 + 4;

// View 4, generation 2, part 2, parts 2, slot count 1, slot numbers 2, owner 1, held from 2.
inline constexpr std::size_t kMaxSlotsPerPart = 2;
inline constexpr std::size_t kHeldFixedBytes = 4 + 2 + 2 + 2 + 1 + kMaxSlotsPerPart + 3;
inline constexpr std::size_t kBitmapBytes = kBucketCount / 8;
inline constexpr uint8_t kNoSlot = 0xff;  // in the place of a second slot that is not there
inline constexpr std::size_t kMaxHeldParts = (kMaxSlots + kMaxSlotsPerPart - 1) / kMaxSlotsPerPart;

// Kind 1, target 1, part 1, parts 1, length 2, reserved 2, number 4, echo 4, target's incarnation 8, have 8.
// What is shorter than the smallest frame is filled up.
inline constexpr std::size_t kMessageFixedBytes = 1 + 1 + 1 + 1 + 2 + 2 + 4 + 4 + 8 + 8;
inline constexpr std::size_t kMaxChunkBytes = 1400;
inline constexpr std::size_t kMinChunkRoom = kHeartbeatFixedBytes - kMessageFixedBytes;
inline constexpr std::size_t kMaxMessageParts = 64;  // as many as `have` has bits

inline constexpr std::size_t kEnvelopeBytes = kHeaderBytes + kSignatureBytes;
inline constexpr std::size_t kMinFrameBytes = kEnvelopeBytes + kHeartbeatFixedBytes;  // hears nobody
inline constexpr std::size_t kMaxHeartbeatBytes =
    kEnvelopeBytes + kHeartbeatFixedBytes + kMaxHosts * kPeerBytes + kAppendedBytes;
inline constexpr std::size_t kMaxHeldBytes =
    kEnvelopeBytes + kHeldFixedBytes + kMaxSlotsPerPart * kBitmapBytes + kAppendedBytes;

static_assert(kHeaderBytes == 44 && kHeartbeatFixedBytes == 144 && kPeerBytes == 16 && kHeldFixedBytes == 16,
              "docs/protocol/heartbeat.md draws these");
static_assert(kMaxHeartbeatBytes <= kMaxPayloadBytes, "64 hosts fit one frame");
static_assert(kMaxHeldBytes <= kMaxPayloadBytes, "two whole bitmaps fit one frame");
static_assert(kMessageFixedBytes == 32 &&
              kEnvelopeBytes + kMessageFixedBytes + kMaxChunkBytes + kAppendedBytes <= kMaxPayloadBytes);
static_assert(kMaxPayloadBytes <= kMinMtu);
static_assert(kMinFrameBytes <= kEnvelopeBytes + kHeldFixedBytes + kBitmapBytes);
static_assert(kMaxHosts <= 64 && kMaxSlots < kNoSlot && kMaxHeldParts == 33);

}  // namespace nlb::wire
