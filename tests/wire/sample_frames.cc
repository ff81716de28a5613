// SPDX-License-Identifier: Apache-2.0
// Sample frames. The generators draw every field from its whole range, ends included.
#include "sample_frames.hh"

#include <algorithm>

#include "wire/layout.hh"

namespace nlb::wire {
namespace {

template <typename T>
T within(T first, T last) {  // both ends included
  return *rc::gen::weightedOneOf<T>({{1, rc::gen::just(first)},
                                     {1, rc::gen::just(last)},
                                     {8, rc::gen::map(rc::gen::arbitrary<T>(), [=](T any) {
                                        return static_cast<T>(
                                            first + any % (static_cast<uint64_t>(last - first) + 1));
                                      })}});
}

template <typename T>
T whole() {
  return within<T>(0, std::numeric_limits<T>::max() - 1);
}

Header any_header() {
  return {within<HostId>(1, kMaxHosts), *rc::gen::arbitrary<uint64_t>(), *rc::gen::arbitrary<uint64_t>()};
}

PeerReport any_peer(HostId id) {
  PeerReport peer;
  peer.id = id;
  peer.phase = within<uint8_t>(0, 3);
  peer.accused = *rc::gen::arbitrary<bool>();
  peer.incarnation = whole<uint32_t>();
  peer.sequence = whole<uint32_t>();
  peer.view = whole<uint32_t>();
  peer.held_generation = whole<uint16_t>();
  peer.kept_generation = within<uint8_t>(0, kMaxKeptGeneration);
  return peer;
}

uint8_t any_offer() {
  return *rc::gen::oneOf(rc::gen::inRange<uint8_t>(0, kOfferAsLast + kOfferEqual + 1),
                         rc::gen::inRange<uint8_t>(kOfferUnhealthy, kOfferDisabled),
                         rc::gen::just(kOfferDisabled));
}

ConfigDigests any_digests() {
  ConfigDigests digests;
  digests.mode = within<uint8_t>(1, 3);
  digests.period_ms = within<uint16_t>(kMinPeriodMs, kMaxPeriodMs);
  digests.tolerance = within<uint16_t>(kMinTolerance, kMaxTolerance);
  digests.vips = whole<uint32_t>();
  digests.rules = whole<uint32_t>();
  digests.seed = whole<uint32_t>();
  digests.generation = whole<uint32_t>();
  return digests;
}

std::vector<PeerReport> any_peers() {
  std::vector<PeerReport> peers;
  const uint64_t ids = *rc::gen::oneOf(rc::gen::arbitrary<uint64_t>(), rc::gen::just(~uint64_t{0}),
                                       rc::gen::just(uint64_t{0}));
  for (HostId id = 1; id <= kMaxHosts; ++id)
    if ((ids & bit_of(id)) != 0) peers.push_back(any_peer(id));
  if (*rc::gen::arbitrary<bool>()) std::reverse(peers.begin(), peers.end());
  return peers;
}

Heartbeat draw_heartbeat() {
  Heartbeat heartbeat;
  heartbeat.header = any_header();
  heartbeat.flags = within<uint16_t>(0, kKnownFlags);
  heartbeat.state = static_cast<HostState>(within<uint8_t>(0, 5));
  heartbeat.phase = within<uint8_t>(0, 3);
  heartbeat.view = whole<uint32_t>();
  heartbeat.view_members = *rc::gen::arbitrary<uint64_t>();
  heartbeat.view_digest = *rc::gen::arbitrary<uint64_t>();
  heartbeat.digests = any_digests();
  heartbeat.offer_generation = whole<uint32_t>();
  for (uint8_t& offer : heartbeat.offers) offer = any_offer();
  heartbeat.held_generation = whole<uint16_t>();
  heartbeat.held_parts = heartbeat.held_generation == 0 ? uint16_t{0} : within<uint16_t>(0, kMaxHeldParts);
  heartbeat.kept_generation = within<uint8_t>(0, kMaxKeptGeneration);
  heartbeat.kept_parts = heartbeat.kept_generation == 0 ? uint8_t{0} : within<uint8_t>(0, kMaxHeldParts);
  heartbeat.hold_s = whole<uint16_t>();
  for (uint8_t& octet : heartbeat.dedicated_ip.octets) octet = whole<uint8_t>();
  for (uint8_t& octet : heartbeat.adapter_mac.octets) octet = whole<uint8_t>();
  heartbeat.adapter_mac.octets[0] &= 0xfe;
  heartbeat.peers = any_peers();
  return heartbeat;
}

std::bitset<kBucketCount> any_buckets() {
  std::bitset<kBucketCount> buckets;
  if (*rc::gen::arbitrary<bool>()) buckets.set();
  for (const auto bucket :
       *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, kBucketCount)))
    buckets.flip(bucket);
  return buckets;
}

HeldPart draw_held_part() {
  HeldPart part;
  part.header = any_header();
  part.view = whole<uint32_t>();
  part.generation = within<uint16_t>(1, 65535);
  part.parts = within<uint16_t>(1, kMaxHeldParts);
  part.part = within<uint16_t>(0, static_cast<uint16_t>(part.parts - 1));
  const auto slot = within<uint8_t>(0, kMaxSlots - 1);
  part.slots.push_back({slot, any_buckets()});
  if (slot + 1u < kMaxSlots && *rc::gen::arbitrary<bool>())
    part.slots.push_back({within<uint8_t>(static_cast<uint8_t>(slot + 1), kMaxSlots - 1), any_buckets()});
  if (*rc::gen::arbitrary<bool>()) return part;
  part.owner = within<HostId>(1, kMaxHosts);
  part.held_from = whole<uint16_t>();
  part.generation = within<uint16_t>(1, kMaxKeptGeneration);
  return part;
}

MessagePart draw_message_part() {
  MessagePart part;
  part.header = any_header();
  part.kind = static_cast<MessagePart::Kind>(within<uint8_t>(1, 3));
  part.target = within<HostId>(1, kMaxHosts);
  part.target_incarnation = whole<uint64_t>();
  part.echo = whole<uint32_t>();
  part.number = within<uint32_t>(1, 0xfffffffe);
  part.have = whole<uint64_t>();
  if (part.kind == MessagePart::Kind::receipt) return part;
  part.parts = within<uint8_t>(1, kMaxMessageParts);
  part.part = within<uint8_t>(0, static_cast<uint8_t>(part.parts - 1));
  const bool last = part.part + 1 == part.parts;
  part.data.resize(last ? within<uint16_t>(0, kMaxChunkBytes) : kMaxChunkBytes);
  for (uint8_t& octet : part.data) octet = static_cast<uint8_t>(part.data.size() + part.echo);
  return part;
}

}  // namespace

KeySet sample_keys(uint8_t first_octet) {
  KeySet keys;
  keys.seed = {0x5e, 0xed};
  keys.keys.emplace_back();
  for (std::size_t i = 0; i < 32; ++i) keys.keys[0][i] = static_cast<uint8_t>(first_octet + i);
  return keys;
}

IpAddress sample_vip() {
  return IpAddress::v4(0x0a4d0064);
}

Heartbeat sample_heartbeat() {
  Heartbeat heartbeat;
  heartbeat.header = {1, 0x6000000012345678, 42};
  heartbeat.state = HostState::converged;
  heartbeat.phase = 3;
  heartbeat.view = 7;
  heartbeat.view_members = 0b111;
  heartbeat.view_digest = 0x0123456789abcdef;
  heartbeat.digests = {1, 50, 10, 0x11111111, 0x22222222, 0x33333333, 5};
  heartbeat.offers[0] = kOfferEqual;
  heartbeat.dedicated_ip = IpAddress::v4(0x0a4d000b);
  heartbeat.adapter_mac = *MacAddress::parse("52:54:00:00:00:01");
  for (HostId id = 2; id <= 3; ++id)
    heartbeat.peers.push_back({id, 3, false, 0xabcd0000u + id, 40u + id, 7, 1});
  return heartbeat;
}

Heartbeat fullest_heartbeat() {
  Heartbeat heartbeat = sample_heartbeat();
  heartbeat.header = {kMaxHosts, ~uint64_t{0}, ~uint64_t{0}};
  heartbeat.flags = kKnownFlags;
  heartbeat.view_members = heartbeat.view_digest = ~uint64_t{0};
  heartbeat.digests = {3, kMaxPeriodMs, kMaxTolerance, ~0u, ~0u, ~0u, ~0u};
  heartbeat.offers.fill(kOfferDisabled);
  heartbeat.held_generation = 0xffff;
  heartbeat.held_parts = kMaxHeldParts;
  heartbeat.kept_generation = kMaxKeptGeneration;
  heartbeat.kept_parts = kMaxHeldParts;
  heartbeat.peers.clear();
  for (HostId id = 1; id <= kMaxHosts; ++id)
    heartbeat.peers.push_back({id, 3, true, ~0u, ~0u, ~0u, 0xffff, kMaxKeptGeneration});
  return heartbeat;
}

HeldPart sample_held_part() {
  HeldPart part;
  part.header = {2, 0x6000000087654321, 43};
  part.view = 7;
  part.generation = 1;
  part.parts = 2;
  part.slots.resize(2);
  part.slots[0].slot = 0;
  part.slots[0].buckets.set(0).set(9).set(4095);
  part.slots[1].slot = 65;
  part.slots[1].buckets.set();
  return part;
}

MessagePart sample_message_part() {
  MessagePart part;
  part.header = {1, 0x6000000012345678, 3};
  part.target = 2;
  part.target_incarnation = 0x6000000087654321;
  part.echo = 1043;
  part.number = 7;
  part.parts = 2;
  part.data.assign(kMaxChunkBytes, 'x');
  return part;
}

rc::Gen<MessagePart> any_message_part() {
  return rc::gen::exec(draw_message_part);
}
rc::Gen<Heartbeat> any_heartbeat() {
  return rc::gen::exec(draw_heartbeat);
}
rc::Gen<HeldPart> any_held_part() {
  return rc::gen::exec(draw_held_part);
}
rc::Gen<Frame> any_frame() {
  return rc::gen::oneOf(rc::gen::map(any_heartbeat(), [](Heartbeat h) { return Frame(std::move(h)); }),
                        rc::gen::map(any_held_part(), [](HeldPart p) { return Frame(std::move(p)); }),
                        rc::gen::map(any_message_part(), [](MessagePart p) { return Frame(std::move(p)); }));
}

}  // namespace nlb::wire
