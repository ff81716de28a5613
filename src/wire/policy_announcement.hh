// SPDX-License-Identifier: Apache-2.0
// What the guard of a hypervisor's switch tells the guest behind a port: who guards it, what the port is
// called there, and what it allows. Format and receiver's steps: docs/protocol/policy-announcement.md.
//
// It is not signed: a guest has no key of its hypervisor's. The guard refuses such frames from everybody else
// (<nlb/abi/guard.h>), and where no guard stands, what is heard decides about texts and never about a bind.
// Names in it end up in commands that a person copies, so their alphabet is small.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/net.hh"

namespace nlb::wire {

enum class PortSpoofing : uint8_t { off, cluster, on };

struct PolicyAnnouncement {
  std::string host, bridge, port;  // the hypervisor's name, its bridge, the interface there
  std::string vm, adapter;         // vm "" = nobody declared the port; adapter "" = the VM's only one
  MacAddress mac;                  // the adapter's own, as declared; zero = none
  PortSpoofing mac_spoofing = PortSpoofing::off;
  std::string cluster;  // that the port belongs to, or is prepared for while spoofing is off; "" = none
  HostId host_id = 0;   // its id there; 0 = none
  bool audit = false;   // what breaks the policy is counted and let through
  bool require_stopped = true;  // the policy changes only while the VM is stopped
  // Set: the switch steers, and asks this port's member for its buckets (steering_announcement.hh). The
  // generation that is in force there; 0 = none.
  std::optional<uint32_t> steering = {};
  // The switch fences ports of members that go down, and asks this one for its presence (fence_notice.hh).
  bool fences = false;

  bool operator==(const PolicyAnnouncement&) const = default;
};

//  X(enumerator, text): why a frame is no announcement, in the order of the receiver's steps
#define NLB_ANNOUNCEMENT_REFUSALS(X)                                        \
  X(short_frame, "shorter than an announcement's header")                   \
  X(bad_magic, "not an announcement")                                       \
  X(other_version, "of another major version")                              \
  X(bad_length, "its length is not what it states")                         \
  X(bad_field, "a field ends outside the frame or has an impossible value") \
  X(bad_text, "a name is too long, or has characters that no name has")     \
  X(repeated_field, "a field is there twice")                               \
  X(missing_field, "a field that every announcement has is not there")
enum class AnnouncementRefusal : uint8_t {
#define NLB_ANNOUNCEMENT_REFUSAL_ENUM(name, text) name,
  NLB_ANNOUNCEMENT_REFUSALS(NLB_ANNOUNCEMENT_REFUSAL_ENUM)
#undef NLB_ANNOUNCEMENT_REFUSAL_ENUM
};
[[nodiscard]] std::string_view text_of(AnnouncementRefusal refusal);

inline constexpr std::size_t kMaxAnnouncedName = 64;        // octets of any name
inline constexpr std::size_t kMaxAnnouncementBytes = 1500;  // of Ethernet payload
inline constexpr uint8_t kAnnouncementMajor = 1;
inline constexpr uint8_t kAnnouncementMinor = 2;  // 0 and 1 without what 1 and 2 have added

// A name as it is sent: letters, digits and "._:@+-", not beginning with "-"; what else a name may hold on
// the hypervisor becomes "_", and what is longer is cut.
[[nodiscard]] std::string announced_name(std::string_view name);

// Ethernet payload. Names go through announced_name. Asserts that host, bridge and port are not empty.
[[nodiscard]] std::vector<uint8_t> encode(const PolicyAnnouncement& announcement);
// Octets behind the stated length (padding of short frames) and fields of other types are passed over.
[[nodiscard]] tl::expected<PolicyAnnouncement, AnnouncementRefusal> decode_policy_announcement(
    std::span<const uint8_t> payload);

}  // namespace nlb::wire
