// SPDX-License-Identifier: Apache-2.0
// Frames to bytes and back. The receiver's steps and their order: docs/protocol/heartbeat.md.
#pragma once

#include <memory>

#include "base/result.hh"
#include "wire/heartbeat.hh"

namespace nlb::wire {

// Signs with the newest key, accepts any. A frame carries the id of its key (a digest, not the key).
// One thread at a time. Throws std::runtime_error only where libcrypto lacks HMAC-SHA256 or memory.
class Codec {
 public:
  // cluster: name and primary VIP give the cluster id, so that a neighbour cluster's frames are told apart.
  Codec(const KeySet& keys, std::string_view cluster_name, const IpAddress& primary_vip);
  ~Codec();
  Codec(Codec&&) noexcept;
  Codec& operator=(Codec&&) noexcept;

  // Ethernet payload (no Ethernet header), at most kMaxPayloadBytes. Asserts that every field is in its range
  // and that there is a key.
  [[nodiscard]] std::vector<uint8_t> encode(const Frame& frame) const;
  // Length, magic, version, cluster, key id and signature are judged, in this order, before a field is read.
  // own_frame, replayed and stale_incarnation are not judged here: they need the receiver's state (replay.hh,
  // core). Trailing padding of short Ethernet frames is ignored (the header states the length).
  [[nodiscard]] tl::expected<Frame, Refusal> decode(std::span<const uint8_t> payload) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One order of rules for all hosts, whatever the order in their files: order[slot] = index into `rules`.
// Slots and offers are numbered by it; digests_of and offers_of use it. Sorted by VIP, ports, protocol, mode,
// affinity, timeout.
[[nodiscard]] std::vector<std::size_t> rule_order(const std::vector<PortRule>& rules);

// The digests that peers compare, from the configuration alone (independent of this host's id and offers).
[[nodiscard]] ConfigDigests digests_of(const Config& config, uint32_t generation);
// What this host offers per rule, in rule_order, from its configuration. Mode disabled: kOfferDisabled.
[[nodiscard]] std::array<uint8_t, kMaxRules> offers_of(const Config& config);
// Cuts a held list (by slot) into parts that fit a frame. Empty when nothing is held. The caller fills in
// header, view and generation (never 0).
[[nodiscard]] std::vector<HeldPart> split_held(const std::vector<std::bitset<kBucketCount>>& held);

}  // namespace nlb::wire
