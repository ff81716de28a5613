// SPDX-License-Identifier: Apache-2.0
// What a frame says, before anybody asks whether its sender may say so: where it goes, whom it claims to be,
// which addresses it uses and to which MACs it binds them, what service it offers. In the order in which the
// kernel programs come to it, because the first thing that is refused names the reason.
#pragma once

#include <nlb/abi/guard.h>

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/net.hh"

namespace nlb {

using Octets = std::span<const uint8_t>;

// A checksum that somebody is still to put into the frame, at octet `field`, of all that stands from `begin`.
struct OpenChecksum {
  int begin = 0, field = 0;
};

// A frame as it reaches the hook: the kernel may have taken its outermost tag off (tag control information).
struct TaggedFrame {
  Octets octets;
  std::optional<uint16_t> tag = {};
  std::optional<OpenChecksum> checksum = {};
  bool is_large = false;  // several packets in one, to be cut on the way
  bool directed = false;  // on its way to one member's own MAC instead of the cluster's
};

enum class Speech { arp, nd, ip };

namespace saying {
struct Broken {  // cannot be read; on the uplink too, or only from a guest
  nlb_guard_reason reason;
  bool from_everybody;
};
struct UsesAddress {  // "this address is mine"
  IpAddress address;
  Speech speech;
};
struct Binds {  // "you find this address, of mine, at this MAC"
  IpAddress address;
  MacAddress mac;
  Speech speech;
};
struct Mentions {  // "you find that address, of somebody, at this MAC"
  IpAddress address;
  MacAddress mac;
};
struct Rarp {
  MacAddress mac;
};
struct AdvertisesRouter {};
struct Redirects {};
struct ServesDhcp {};
struct HidesPort {};              // a first fragment of UDP without its ports
struct AdvertisesVirtualRouter {  // VRRP or CARP
  uint8_t number;
  bool ipv6;
};
}  // namespace saying

using Saying = std::variant<saying::Broken, saying::UsesAddress, saying::Binds, saying::Mentions,
                            saying::Rarp, saying::AdvertisesRouter, saying::Redirects, saying::ServesDhcp,
                            saying::HidesPort, saying::AdvertisesVirtualRouter>;

// A frame's payload. What stands from `transport` on may be anything of which only the first octets count;
// without it all counts, or a fragment's place among the others does.
struct GuardPayload {
  std::vector<Saying> sayings = {};
  std::optional<std::size_t> transport = 0;
};

struct GuardFrame {
  bool whole = false;  // the Ethernet header and its tag are there
  MacAddress destination, source;
  uint16_t vlan = 0;  // 0: no tag, or tag 0
  uint16_t type = 0;
  bool nested = false;    // a tag behind a tag or behind SNAP
  bool too_deep = false;  // a third one, where that cannot be left unread
  std::size_t payload_at = 0;
  uint8_t ip_protocol = 0;  // what stands at its place, 0 where it is not IP
  GuardPayload payload;
};

[[nodiscard]] GuardFrame read_guard_frame(const TaggedFrame& frame);

// Used by the parts of this reader.
namespace octets {
[[nodiscard]] uint32_t number(Octets from, std::size_t at, std::size_t bytes);  // big-endian; must be there
[[nodiscard]] MacAddress mac(Octets from, std::size_t at);
[[nodiscard]] IpAddress ipv6(Octets from, std::size_t at);
}  // namespace octets
[[nodiscard]] GuardPayload read_guard_ipv6(Octets packet);

}  // namespace nlb
