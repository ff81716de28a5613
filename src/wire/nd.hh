// SPDX-License-Identifier: Apache-2.0
// Neighbour discovery (RFC 4861) as whole IPv6 packets, to structs and back: the probe of duplicate address
// detection, the solicitation and the advertisement.
//
// A probe comes from the unspecified address and may therefore name no MAC. So that peers that are probing at
// the same time know each other, it carries the cluster MAC as its nonce (option 14, RFC 3971): strangers
// send none, or a random one (RFC 7527).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/net.hh"

namespace nlb {

[[nodiscard]] std::vector<uint8_t> nd_probe(const MacAddress& nonce, const IpAddress& target);
// Unsolicited, to all nodes: the address is at this MAC now.
[[nodiscard]] std::vector<uint8_t> nd_announcement(const IpAddress& address, const MacAddress& mac);

struct NdMessage {
  bool solicitation = false;  // else an advertisement
  IpAddress source, target;
  std::optional<MacAddress> mac;    // of the source in a solicitation, of the target in an advertisement
  std::optional<MacAddress> nonce;  // one that is as long as a MAC
  bool operator==(const NdMessage&) const = default;
};
// nullopt for anything else, and for what a receiver must discard (RFC 4861 section 7.1).
[[nodiscard]] std::optional<NdMessage> parse_nd(std::span<const uint8_t> packet);

[[nodiscard]] IpAddress solicited_node(const IpAddress& address);  // ff02::1:ff00:0/104
[[nodiscard]] MacAddress group_mac(const IpAddress& group);  // 33:33 and the last four octets (RFC 2464)

}  // namespace nlb
