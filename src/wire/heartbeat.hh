// SPDX-License-Identifier: Apache-2.0
// What hosts of a cluster say to each other, as structs. The bytes: docs/protocol/heartbeat.md.
// Ethernet, EtherType 0x88B5 (IEEE Std 802 local experimental 1). All integers are big-endian on the wire.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/limits.hh"
#include "base/net.hh"
#include "core/config.hh"

namespace nlb::wire {

inline constexpr uint16_t kEtherType = 0x88B5;
inline constexpr uint8_t kVersionMajor = 1;  // another major is refused; another minor is understood
#ifndef NLB_WIRE_MINOR
#define NLB_WIRE_MINOR 0  // a test build raises it to prove that mixed minors work
#endif
constexpr uint8_t kVersionMinor = NLB_WIRE_MINOR;  // not inline: one program links parts of both
inline constexpr std::size_t kMaxPayloadBytes = 1500;

// What a sender knows of one peer. 64 of them fit a frame beside the rest.
struct PeerReport {
  HostId id = 0;
  uint8_t phase = 0;     // phase that the peer last stated
  bool accused = false;  // silent for D: this incarnation is echoed no more until a later view readmits it
  uint32_t incarnation = 0;  // low 32 bits
  uint32_t sequence = 0;     // low 32 bits of the newest frame heard: the echo that extends the peer's lease
  uint32_t view = 0;         // view number that the peer last stated
  uint16_t held_generation = 0;  // newest held list of the peer that is complete here (0 = none)
  uint8_t kept_generation = 0;   // the same of its kept list, 0..kMaxKeptGeneration
  bool operator==(const PeerReport&) const = default;
};

// Kept lists are numbered 1 to this and then from 1 again; the next begins when all have the one before.
inline constexpr uint8_t kMaxKeptGeneration = 31;

// Nothing of the peer is heard; it is listed so that others do not take it in on its own word.
[[nodiscard]] constexpr bool is_mere_accusation(const PeerReport& report) {
  return report.accused && report.sequence == 0;
}

enum class HostState : uint8_t { stopped = 0, suspended, converging, converged, draining, refused };

// Bits of Heartbeat::flags.
enum HeartbeatFlag : uint16_t {
  kFresh = 1 << 0,         // this incarnation began with lease 0: its predecessor owns nothing any more
  kLeaving = 1 << 1,       // clean leave: owns nothing, has no view
  kRestarting = 1 << 2,    // planned restart: as leaving, but connections stay held for hold_s
  kToClusterMac = 1 << 3,  // this copy was sent to the cluster MAC (proves the receiver's data path)
  kAsk = 1 << 4,           // asked by unicast before an eviction: answer at once
  kUnhealthy = 1 << 5,
  kAlone = 1 << 6,          // mutually hears nobody
  kKeeps = 1 << 7,          // understands kept lists; a view with a member that does not keeps nothing
  kOwnsNothing = 1 << 8,    // said where a rule has extended affinity: no bucket is this host's at the moment
  kOutOfService = 1 << 9,   // a health check fails that takes the whole host out
  kServesAsLast = 1 << 10,  // with kOutOfService: serves all the same when every member is out
  kInIp = 1 << 11,  // mode igmp: what it says to all goes in IP to the cluster's group, and is heard so
};
inline constexpr uint16_t kKnownFlags = 0xfff;  // others are sent as 0 and ignored when received

// Digests of what hosts of one view must share, apart, so that the differing item can be named.
struct ConfigDigests {
  uint8_t mode = 0;  // ClusterMode
  uint16_t period_ms = 0;
  uint16_t tolerance = 0;
  uint32_t vips = 0, rules = 0, seed = 0;
  uint32_t generation = 0;  // grows with each change that is applied cluster-wide
  bool operator==(const ConfigDigests&) const = default;
};

// One byte a rule: what this host offers for it.
inline constexpr uint8_t kOfferEqual = 101;      // weight "equal"
inline constexpr uint8_t kOfferAsLast = 102;     // + 0..101: unhealthy; offers that much when nobody is well
inline constexpr uint8_t kOfferUnhealthy = 253;  // unhealthy: no new flows here, whatever the others are
inline constexpr uint8_t kOfferDrained = 254;    // no new flows here
inline constexpr uint8_t kOfferDisabled = 255;   // rule disabled by command
// else: mode multiple: load weight 0..100; mode single: handling priority 1..64

// What a host offers that has failed a health check: less than `offer` says, and what it says if everybody
// has failed.
[[nodiscard]] constexpr uint8_t offer_as_last(uint8_t offer) {
  return offer <= kOfferEqual ? static_cast<uint8_t>(kOfferAsLast + offer) : offer;
}
[[nodiscard]] constexpr bool is_offer_as_last(uint8_t offer) {
  return offer >= kOfferAsLast && offer <= kOfferAsLast + kOfferEqual;
}
[[nodiscard]] constexpr bool is_unhealthy_offer(uint8_t offer) {
  return is_offer_as_last(offer) || offer == kOfferUnhealthy;
}

struct Header {  // first bytes of every frame
  HostId sender = 0;
  uint64_t incarnation = 0;  // high 32 bits: seconds at start (only breaks ties); low 32: random
  uint64_t sequence = 0;     // grows by one a frame, all frame types together
  bool operator==(const Header&) const = default;
};

struct Heartbeat {
  Header header;
  uint16_t flags = 0;
  HostState state = HostState::stopped;
  uint8_t phase = 0;  // 0 none, 1 seen, 2 released, 3 acquired: of the view below
  uint32_t view = 0;  // view number
  HostSet view_members = 0;
  uint64_t view_digest = 0;  // over members, their incarnations and offers
  ConfigDigests digests;
  uint32_t offer_generation = 0;  // grows when offers or drain state change
  std::array<uint8_t, kMaxRules> offers{};
  uint16_t held_generation = 0;  // of this host's held list for this view; 0 = not computed yet
  uint16_t held_parts = 0;       // number of HeldPart frames of that generation; 0 = nothing held
  uint8_t kept_generation = 0;   // of this host's kept list for this view; 0 = there is none
  uint8_t kept_parts = 0;        // number of its frames; 0 = nothing kept
  uint16_t hold_s = 0;           // with kRestarting
  IpAddress dedicated_ip;
  MacAddress adapter_mac;
  std::vector<PeerReport> peers;  // at most kMaxHosts
  bool operator==(const Heartbeat&) const = default;
};

// Part n of m of a held list (a missing part means "held"), or, where it has an owner, of a kept list: at
// most two slots a frame.
struct HeldPart {
  struct Slot {
    uint8_t slot = 0;
    std::bitset<kBucketCount> buckets;
    bool operator==(const Slot&) const = default;
  };
  Header header;
  uint32_t view = 0;
  uint16_t generation = 0;       // of a kept list: 1..kMaxKeptGeneration
  uint16_t part = 0, parts = 0;  // part 0..parts-1
  HostId owner = 0;        // whose kept list it is, the sender's or one that it passes on; 0 = held list
  uint16_t held_from = 0;  // of a kept list: the owner's held lists before this generation say too little
  std::vector<Slot> slots;
  bool operator==(const HeldPart&) const = default;
};

// Part n of m of what one member asks another, or of the answer: docs/protocol/administration.md.
struct MessagePart {
  enum class Kind : uint8_t { request = 1, answer = 2, receipt = 3 };  // receipt: heard, no answer yet
  Header header;  // its sequence counts messages alone and is not judged: `echo` and `number` are
  Kind kind = Kind::request;
  HostId target = 0;
  uint64_t target_incarnation = 0;
  uint32_t echo = 0;            // low 32 bits of the target's newest heartbeat that the sender has heard
  uint32_t number = 0;          // of the exchange; grows within the asking host's incarnation, never 0
  uint8_t part = 0, parts = 1;  // part 0..parts-1; each but the last is full
  uint64_t have = 0;            // parts of the other direction's message that the sender has: bit n = part n
  std::vector<uint8_t> data;
  bool operator==(const MessagePart&) const = default;
};

using Frame = std::variant<Heartbeat, HeldPart, MessagePart>;
[[nodiscard]] inline const Header& header_of(const Frame& frame) {
  return std::visit([](const auto& body) -> const Header& { return body.header; }, frame);
}

// Why a frame was refused. One list: code, counter and text. Append only.
#define NLB_REFUSALS(X)                                                           \
  X(too_short, "shorter than the smallest frame")                                 \
  X(too_long, "longer than the largest frame")                                    \
  X(wrong_magic, "not a frame of ours")                                           \
  X(wrong_version, "another major version")                                       \
  X(other_cluster, "another cluster's frame")                                     \
  X(unknown_key, "no key with that id here")                                      \
  X(bad_signature, "signature does not verify: other key, or changed on the way") \
  X(bad_length, "stated length and real length differ")                           \
  X(bad_field, "a field is outside its range")                                    \
  X(own_frame, "own frame came back")                                             \
  X(replayed, "sequence number not newer")                                        \
  X(stale_incarnation, "incarnation without a fresh echo")
enum class Refusal : uint8_t {
#define NLB_REFUSAL_ENUM(name, text) name,
  NLB_REFUSALS(NLB_REFUSAL_ENUM)
#undef NLB_REFUSAL_ENUM
};
inline constexpr std::size_t kRefusalCount = 0
#define NLB_REFUSAL_COUNT(name, text) +1
    NLB_REFUSALS(NLB_REFUSAL_COUNT)
#undef NLB_REFUSAL_COUNT
    ;
[[nodiscard]] std::string_view name_of(Refusal refusal);
[[nodiscard]] std::string_view text_of(Refusal refusal);

}  // namespace nlb::wire
