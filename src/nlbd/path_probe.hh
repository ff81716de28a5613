// SPDX-License-Identifier: Apache-2.0
// Proof and claim (core/path_proof.hh, core/address_claim.hh) on a real interface. Both block; a thread of
// its own runs them.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hh"
#include "core/address_claim.hh"
#include "core/path_proof.hh"
#include "linux/frame_socket.hh"
#include "linux/group_membership.hh"

namespace nlb {

// Called again and again, as peers become known while the proof goes on.
struct Surroundings {
  std::function<std::vector<IpAddress>()> neighbours;  // whom to ask
  std::function<std::vector<IpAddress>()> peers;       // of this mode, that are heard
};

struct PathPlace {
  std::string interface;
  core::PathPlan plan;
  IpAddress primary_vip;  // to which peers' heartbeats in IP go
  // Of mode igmp: left for a moment at the end, to see whether a querier asks. Null: do not ask.
  GroupMembership* membership = nullptr;
};
// At most some 2 s, more with slow heartbeats. Nothing stays on the adapter: the MACs asked for are received
// only while this goes on.
[[nodiscard]] Result<core::PathVerdict> prove_path(const PathPlace& place, const Surroundings& around,
                                                   const std::atomic<bool>& stop);

// Does this frame, ARP or neighbour discovery, claim one of the VIPs for a stranger?
[[nodiscard]] std::optional<core::AddressConflict> claim_of_stranger(const ReceivedFrame& frame,
                                                                     const std::vector<IpAddress>& vips,
                                                                     const core::Claimants& ours,
                                                                     bool probing);

// Whose address it names as its sender's; unspecified where it names none.
[[nodiscard]] IpAddress speaker_of(const ReceivedFrame& frame);

// "VIP 192.0.2.100 is used by …": as a refusal says it.
[[nodiscard]] std::string words_of_user(const core::AddressConflict& conflict);

// Takes `duration`, less if stopped: then nothing was found out. Ethernet source: ours.own.
[[nodiscard]] Result<std::optional<core::AddressConflict>> claim_addresses(const std::string& interface,
                                                                           const std::vector<IpAddress>& vips,
                                                                           const core::Claimants& ours,
                                                                           Nanos duration,
                                                                           const std::atomic<bool>& stop);

}  // namespace nlb
