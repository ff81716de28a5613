// SPDX-License-Identifier: Apache-2.0
// What a cluster member tells the switch in front of it: which buckets its own filter may take, and by what
// seed, addresses and rules it counts. Format and receiver's steps: docs/protocol/steering-announcement.md.
//
// It is not signed and says nothing of other members: the switch believes it of the port that it came from,
// and a member that lies keeps its own frames away.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/limits.hh"
#include "base/net.hh"

namespace nlb::wire {

// Ports that go to a slot. Of several that match, the first counts; where none does, the default slot.
struct SteeringPorts {
  uint8_t slot = 0;
  uint8_t vip = 0;  // index + 1 among the addresses; 0 = all of them
  bool tcp = false, udp = false;
  uint16_t first = 0, last = 0;

  bool operator==(const SteeringPorts&) const = default;
};

// What buckets are counted by. Never a key of heartbeats.
struct SteeringRules {
  std::array<uint8_t, 16> seed{};
  std::vector<IpAddress> vips;
  std::vector<SteeringPorts> ports;
  std::array<uint8_t, kMaxSlots> affinities{};  // NLB_AFFINITY_*

  bool operator==(const SteeringRules&) const = default;
};

struct SteeringContent {
  SteeringRules rules;
  std::map<uint8_t, std::bitset<kBucketCount>> rows;  // by slot: the filter may take something there

  bool operator==(const SteeringContent&) const = default;
};

//  X(enumerator, text): why a part is none, in the order of the receiver's steps
#define NLB_STEERING_REFUSALS(X)                                           \
  X(short_frame, "shorter than an announcement's header")                  \
  X(bad_magic, "not an announcement of buckets")                           \
  X(other_version, "of another major version")                             \
  X(bad_length, "its length is not what it states")                        \
  X(bad_part, "its number is none of its announcement's parts")            \
  X(bad_field, "a field ends outside the part or has an impossible value") \
  X(missing_field, "a field that every announcement has is not there")
enum class SteeringRefusal : uint8_t {
#define NLB_STEERING_REFUSAL_ENUM(name, text) name,
  NLB_STEERING_REFUSALS(NLB_STEERING_REFUSAL_ENUM)
#undef NLB_STEERING_REFUSAL_ENUM
};
[[nodiscard]] std::string_view text_of(SteeringRefusal refusal);

inline constexpr std::size_t kMaxSteeringPartBytes = 1260;  // of Ethernet payload: fits where IPv6 does
inline constexpr std::size_t kMaxSteeringParts = 64;

// Ethernet payloads. Without content: the generation goes on as it is, or what it stands for is not settled.
[[nodiscard]] std::vector<uint8_t> encode_steering_mark(uint32_t generation, bool in_transition);
// Asserts that there are addresses, no more than fit, and a slot and an address behind each number.
[[nodiscard]] std::vector<std::vector<uint8_t>> encode_steering(uint32_t generation,
                                                                const SteeringContent& content);

// One port's announcement while its parts come in. Parts of another generation begin anew.
class SteeringAssembly {
 public:
  struct Taken {
    uint32_t generation = 0;
    bool in_transition = false;
    std::optional<SteeringContent> content = {};  // when this part was the last one that was missing
  };
  // Octets behind the stated length and fields of other types are passed over.
  [[nodiscard]] tl::expected<Taken, SteeringRefusal> take(std::span<const uint8_t> payload);

 private:
  [[nodiscard]] tl::expected<SteeringContent, SteeringRefusal> assemble() const;

  uint32_t generation_ = 0;
  std::vector<std::vector<uint8_t>> parts_;  // fields of each; empty = not there yet
};

}  // namespace nlb::wire
