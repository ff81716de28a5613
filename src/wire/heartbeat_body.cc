// SPDX-License-Identifier: Apache-2.0
// The heartbeat's body. Field order and ranges: docs/protocol/heartbeat.md, section "Heartbeat".
#include <algorithm>
#include <cassert>

#include "wire/appended.hh"
#include "wire/body.hh"
#include "wire/layout.hh"

namespace nlb::wire {
namespace {

// A peer's second byte.
constexpr uint8_t kPhaseMask = 0x03;
constexpr uint8_t kAccusedBit = 0x04;
constexpr unsigned kKeptShift = 3;  // five bits
constexpr uint8_t kMaxPhase = 3;

bool is_offer(uint8_t offer) {
  return offer <= kOfferEqual || is_unhealthy_offer(offer) || offer == kOfferDrained ||
         offer == kOfferDisabled;
}

bool is_host(HostId id) {
  return id >= 1 && id <= kMaxHosts;
}

// The sender's own id may be among them: that is how the second of two hosts with one id answers the first.
bool are_peers(const std::vector<PeerReport>& peers) {
  HostSet seen = 0;
  for (const PeerReport& peer : peers) {
    if (!is_host(peer.id) || peer.phase > kMaxPhase || peer.kept_generation > kMaxKeptGeneration ||
        (seen & bit_of(peer.id)) != 0)
      return false;
    seen |= bit_of(peer.id);
  }
  return true;
}

bool are_digests(const ConfigDigests& digests) {
  return digests.mode >= static_cast<uint8_t>(ClusterMode::unicast) &&
         digests.mode <= static_cast<uint8_t>(ClusterMode::igmp) && digests.period_ms >= kMinPeriodMs &&
         digests.period_ms <= kMaxPeriodMs && digests.tolerance >= kMinTolerance &&
         digests.tolerance <= kMaxTolerance;
}

void write_peer(Writer& to, const PeerReport& peer) {
  to.put(peer.id);
  to.put(static_cast<uint8_t>(peer.phase | (peer.accused ? kAccusedBit : 0) |
                              peer.kept_generation << kKeptShift));
  to.put(peer.held_generation);
  to.put(peer.incarnation);
  to.put(peer.sequence);
  to.put(peer.view);
}

PeerReport read_peer(Reader& from) {
  PeerReport peer;
  peer.id = from.get<uint8_t>();
  const auto bits = from.get<uint8_t>();
  peer.phase = bits & kPhaseMask;
  peer.accused = (bits & kAccusedBit) != 0;
  peer.kept_generation = static_cast<uint8_t>(bits >> kKeptShift);
  peer.held_generation = from.get<uint16_t>();
  peer.incarnation = from.get<uint32_t>();
  peer.sequence = from.get<uint32_t>();
  peer.view = from.get<uint32_t>();
  return peer;
}

// Returns the number of peers that follow.
std::size_t read_fixed(Reader& from, Heartbeat& to) {
  to.flags = from.get<uint16_t>() & kKnownFlags;
  to.state = static_cast<HostState>(from.get<uint8_t>());
  to.phase = from.get<uint8_t>();
  to.view = from.get<uint32_t>();
  to.view_members = from.get<uint64_t>();
  to.view_digest = from.get<uint64_t>();
  to.digests.mode = from.get<uint8_t>();
  const std::size_t peer_count = from.get<uint8_t>();
  to.digests.period_ms = from.get<uint16_t>();
  to.digests.tolerance = from.get<uint16_t>();
  to.hold_s = from.get<uint16_t>();
  to.digests.vips = from.get<uint32_t>();
  to.digests.rules = from.get<uint32_t>();
  to.digests.seed = from.get<uint32_t>();
  to.digests.generation = from.get<uint32_t>();
  to.offer_generation = from.get<uint32_t>();
  to.held_generation = from.get<uint16_t>();
  to.held_parts = from.get<uint16_t>();
  from.get(to.dedicated_ip.octets);
  from.get(to.adapter_mac.octets);
  to.kept_generation = from.get<uint8_t>();
  to.kept_parts = from.get<uint8_t>();
  from.get(to.offers);
  return peer_count;
}

}  // namespace

bool in_range(const Heartbeat& heartbeat) {
  return is_host(heartbeat.header.sender) && heartbeat.state <= HostState::refused &&
         heartbeat.phase <= kMaxPhase && (heartbeat.flags & ~kKnownFlags) == 0 &&
         are_digests(heartbeat.digests) &&
         std::all_of(heartbeat.offers.begin(), heartbeat.offers.end(), is_offer) &&
         heartbeat.held_parts <= kMaxHeldParts &&
         (heartbeat.held_generation != 0 || heartbeat.held_parts == 0) &&
         heartbeat.kept_generation <= kMaxKeptGeneration && heartbeat.kept_parts <= kMaxHeldParts &&
         (heartbeat.kept_generation != 0 || heartbeat.kept_parts == 0) &&
         (heartbeat.adapter_mac.octets[0] & 1) == 0 && heartbeat.peers.size() <= kMaxHosts &&
         are_peers(heartbeat.peers);
}

void write_body(Writer& to, const Heartbeat& heartbeat) {
  to.put(heartbeat.flags);
  to.put(static_cast<uint8_t>(heartbeat.state));
  to.put(heartbeat.phase);
  to.put(heartbeat.view);
  to.put(heartbeat.view_members);
  to.put(heartbeat.view_digest);
  to.put(heartbeat.digests.mode);
  to.put(static_cast<uint8_t>(heartbeat.peers.size()));
  to.put(heartbeat.digests.period_ms);
  to.put(heartbeat.digests.tolerance);
  to.put(heartbeat.hold_s);
  to.put(heartbeat.digests.vips);
  to.put(heartbeat.digests.rules);
  to.put(heartbeat.digests.seed);
  to.put(heartbeat.digests.generation);
  to.put(heartbeat.offer_generation);
  to.put(heartbeat.held_generation);
  to.put(heartbeat.held_parts);
  to.put(heartbeat.dedicated_ip.octets);
  to.put(heartbeat.adapter_mac.octets);
  to.put(heartbeat.kept_generation);
  to.put(heartbeat.kept_parts);
  to.put(heartbeat.offers);
  for (const PeerReport& peer : heartbeat.peers) write_peer(to, peer);
  write_appended(to);
}

tl::expected<Heartbeat, Refusal> read_heartbeat(std::span<const uint8_t> body, const Header& header,
                                                uint8_t minor) {
  if (body.size() < kHeartbeatFixedBytes) return tl::unexpected(Refusal::bad_length);
  Reader from(body);
  Heartbeat heartbeat;
  heartbeat.header = header;
  const std::size_t peer_count = read_fixed(from, heartbeat);
  if (peer_count > kMaxHosts) return tl::unexpected(Refusal::bad_field);
  if (from.left() < peer_count * kPeerBytes) return tl::unexpected(Refusal::bad_length);
  heartbeat.peers.reserve(peer_count);
  for (std::size_t i = 0; i < peer_count; ++i) heartbeat.peers.push_back(read_peer(from));
  if (!read_appended(from, minor)) return tl::unexpected(Refusal::bad_length);
  if (!in_range(heartbeat)) return tl::unexpected(Refusal::bad_field);
  return heartbeat;
}

}  // namespace nlb::wire
