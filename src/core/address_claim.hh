// SPDX-License-Identifier: Apache-2.0
// Address-conflict detection (RFC 5227, for IPv6 RFC 4862) for addresses that several hosts share. Pure: time
// and ARP are arguments.
//
// Departures from the RFC. The intervals are shortened as systemd and NetworkManager do (the whole takes
// `duration`, RFC: up to 7 s). Probes carry the cluster MAC as sender: a peer that is probing at the same
// time is thus told apart from a stranger, and answers come the way that clients' frames come. What comes
// from the cluster's MACs is a peer, never a conflict; a second cluster that made the same MAC of the same
// VIP is not found here but by its heartbeats.
#pragma once

#include <optional>
#include <vector>

#include "base/net.hh"
#include "wire/nd.hh"

namespace nlb::core {

struct AddressConflict {
  IpAddress address;
  MacAddress mac;  // who claims it
  bool operator==(const AddressConflict&) const = default;
};

// The MACs from which the cluster's members speak about its addresses.
struct Claimants {
  MacAddress cluster;
  IpAddress primary_vip;
  MacAddress own;
  [[nodiscard]] bool contain(const MacAddress& mac) const;
};

// Does this ARP message claim one of the VIPs for a stranger? Also for watching afterwards (RFC 5227 §2.4).
// `probing`: a stranger's probe for the address counts too (§2.1.1).
[[nodiscard]] std::optional<AddressConflict> conflict_in(const std::vector<IpAddress>& vips,
                                                         const Claimants& ours, bool request,
                                                         const MacAddress& sender_mac,
                                                         const IpAddress& sender, const IpAddress& target,
                                                         bool probing);

// What a neighbour discovery message claims, in the same words (RFC 4862 section 5.4). `source`: of the
// Ethernet frame, which speaks where no option does.
[[nodiscard]] std::optional<AddressConflict> conflict_in(const std::vector<IpAddress>& vips,
                                                         const Claimants& ours, const NdMessage& message,
                                                         const MacAddress& source, bool probing);

// When to send which of kClaimProbes probes: `since` after the beginning of a detection of `duration`.
inline constexpr int kClaimProbes = 3;  // PROBE_NUM
[[nodiscard]] constexpr int probes_due(Nanos since, Nanos duration) {
  const Nanos interval = duration / (kClaimProbes + 1);
  if (interval <= 0) return 0;
  const auto due = static_cast<int>(since / interval) + 1;
  return due < kClaimProbes ? due : kClaimProbes;
}

}  // namespace nlb::core
