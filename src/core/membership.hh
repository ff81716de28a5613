// SPDX-License-Identifier: Apache-2.0
// Who should be in the view: a pure function of what this host and those it hears report. Every host computes
// it for itself; as the inputs travel in every heartbeat, hosts that hear each other come to the same answer.
#pragma once

#include <array>

#include "core/host_state.hh"
#include "core/peer.hh"

namespace nlb::core {

struct Self {
  HostId id = 0;
  uint64_t incarnation = 0;
  bool active = false;         // takes part (converging, converged, draining)
  uint32_t view = 0;           // number of its current view
  HostSet view_members = 0;    // of that view; bit of itself only when alone
  bool view_is_stuck = false;  // not all its members have come to it, for long
  HostSet put_off = 0;         // not to be admitted yet
  wire::ConfigDigests digests;
};

struct Circle {            // whom this host hears now, and how
  HostSet heard = 0;       // believed, and a frame within D
  HostSet answering = 0;   // ... that lists us
  HostSet mutual = 0;      // ... no later than a lease lasts
  HostSet compatible = 0;  // ... with the same configuration, and active
  HostSet accused = 0;     // whom any of those that are heard accuses
};

// By id. Most of the 64 are never heard of: whoever walks over all peers walks over these.
struct PeerTable : std::array<Peer, kMaxHosts + 1> {
  HostSet heard_of = 0;  // something has come under this id; everybody else's entry is as it was at first
};

// Frames of both arrive, and soon enough: whose echoes all come later than a lease lasts can share no view.
[[nodiscard]] bool hear_each_other_now(const Self& self, const Peer& peer, Nanos now, Nanos silence_limit);

[[nodiscard]] Circle circle_of(const Self& self, const PeerTable& peers, Nanos now, Nanos silence_limit);

// Hosts of `base` that accuse `suspect`, this one among them.
[[nodiscard]] int accusers_of(HostId suspect, HostSet base, const Self& self, const PeerTable& peers,
                              const Circle& circle);

// The members that the view ought to have. Without the bit of `self` when it has to stay outside.
[[nodiscard]] HostSet wanted_members(const Self& self, const PeerTable& peers, const Circle& circle,
                                     Nanos now, Nanos join_delay);

// Hosts whose configuration differs form groups; the best one goes on: more members, then higher generation,
// then lowest host id. A member that its group alone hears counts as well: else a host that hears a part of a
// larger group would go on beside it. Returns a host of a better group than ours among `others`, or 0.
[[nodiscard]] HostId better_group_than_ours(const Self& self, const PeerTable& peers, HostSet others);

// Groups of which each hears another part may each take itself for the better one, and serve. By what both
// state, view against view, one of them gives way. Returns a serving host of the better one, or 0.
[[nodiscard]] HostId better_server_than_ours(const Self& self, const PeerTable& peers, HostSet others);

// The first item of two configurations that differs, in a person's words; nullptr = none.
[[nodiscard]] const char* differing_item(const wire::ConfigDigests& ours, const wire::ConfigDigests& theirs);

// In or on its way into a view, and about to stay.
[[nodiscard]] bool takes_part(const wire::Heartbeat& heartbeat);
[[nodiscard]] bool in_a_view(const wire::Heartbeat& heartbeat);
[[nodiscard]] bool serves(const wire::Heartbeat& heartbeat);
// False: drained, out of service, weight 0 or the like for every rule; in a view it owns nothing.
[[nodiscard]] bool may_take_new_flows(const wire::Heartbeat& heartbeat);
[[nodiscard]] bool may_hold_connections(const wire::Heartbeat& heartbeat);

[[nodiscard]] const wire::PeerReport* report_of(const wire::Heartbeat& heartbeat, HostId about);

// The same, but nullptr for who is listed only to be accused. Taken for hearing, a mere accusation would
// bring the accused back into the view in which it is accused again at once.
[[nodiscard]] const wire::PeerReport* report_of_hearing(const wire::Heartbeat& heartbeat, HostId about);

}  // namespace nlb::core
