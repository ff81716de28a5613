// SPDX-License-Identifier: Apache-2.0
// Held lists: the buckets in which a host still has connections that are no longer its own, cut into frames;
// and, in frames of the same form, kept lists: what a host goes on owning for returning clients.
// A bitmap of 4096 buckets is 512 bytes; two fit a frame, so all 66 slots fit 33 parts.
#include <cassert>

#include "wire/appended.hh"
#include "wire/body.hh"
#include "wire/codec.hh"
#include "wire/layout.hh"

namespace nlb::wire {
namespace {

// Bucket b is bit b mod 8 (0 = least significant) of octet b / 8.
void write_bitmap(Writer& to, const std::bitset<kBucketCount>& buckets) {
  for (std::size_t octet = 0; octet < kBitmapBytes; ++octet) {
    unsigned value = 0;
    for (std::size_t bit = 0; bit < 8; ++bit) value |= static_cast<unsigned>(buckets[octet * 8 + bit]) << bit;
    to.put(static_cast<uint8_t>(value));
  }
}

std::bitset<kBucketCount> read_bitmap(Reader& from) {
  std::bitset<kBucketCount> buckets;
  std::size_t first = 0;
  for (const uint8_t octet : from.take(kBitmapBytes)) {
    for (std::size_t bit = 0; octet >> bit != 0; ++bit)
      if ((octet >> bit & 1) != 0) buckets.set(first + bit);
    first += 8;
  }
  return buckets;
}

}  // namespace

bool in_range(const HeldPart& part) {
  if (part.header.sender < 1 || part.header.sender > kMaxHosts || part.generation == 0) return false;
  if (part.owner > kMaxHosts || (part.owner != 0 && part.generation > kMaxKeptGeneration)) return false;
  if (part.owner == 0 && part.held_from != 0) return false;
  if (part.parts == 0 || part.parts > kMaxHeldParts || part.part >= part.parts) return false;
  if (part.slots.empty() || part.slots.size() > kMaxSlotsPerPart) return false;
  for (const HeldPart::Slot& slot : part.slots)
    if (slot.slot >= kMaxSlots) return false;
  return part.slots.size() == 1 || part.slots[0].slot < part.slots[1].slot;
}

void write_body(Writer& to, const HeldPart& part) {
  to.put(part.view);
  to.put(part.generation);
  to.put(part.part);
  to.put(part.parts);
  to.put(static_cast<uint8_t>(part.slots.size()));
  for (std::size_t i = 0; i < kMaxSlotsPerPart; ++i)
    to.put(i < part.slots.size() ? part.slots[i].slot : kNoSlot);
  to.put(part.owner);
  to.put(part.held_from);
  for (const HeldPart::Slot& slot : part.slots) write_bitmap(to, slot.buckets);
  write_appended(to);
}

tl::expected<HeldPart, Refusal> read_held_part(std::span<const uint8_t> body, const Header& header,
                                               uint8_t minor, bool kept) {
  if (body.size() < kHeldFixedBytes) return tl::unexpected(Refusal::bad_length);
  Reader from(body);
  HeldPart part;
  part.header = header;
  part.view = from.get<uint32_t>();
  part.generation = from.get<uint16_t>();
  part.part = from.get<uint16_t>();
  part.parts = from.get<uint16_t>();
  const std::size_t slot_count = from.get<uint8_t>();
  std::array<uint8_t, kMaxSlotsPerPart> numbers{};
  from.get(numbers);
  const auto owner = from.get<uint8_t>();
  const auto held_from = from.get<uint16_t>();
  if (kept) {  // reserved in a held list
    if (owner == 0) return tl::unexpected(Refusal::bad_field);
    part.owner = owner;
    part.held_from = held_from;
  }
  if (slot_count == 0 || slot_count > kMaxSlotsPerPart) return tl::unexpected(Refusal::bad_field);
  if (slot_count == 1 && numbers[1] != kNoSlot) return tl::unexpected(Refusal::bad_field);
  if (from.left() < slot_count * kBitmapBytes) return tl::unexpected(Refusal::bad_length);
  for (std::size_t i = 0; i < slot_count; ++i) part.slots.push_back({numbers[i], read_bitmap(from)});
  if (!read_appended(from, minor)) return tl::unexpected(Refusal::bad_length);
  if (!in_range(part)) return tl::unexpected(Refusal::bad_field);
  return part;
}

std::vector<HeldPart> split_held(const std::vector<std::bitset<kBucketCount>>& held) {
  assert(held.size() <= kMaxSlots);
  std::vector<HeldPart> parts;
  for (std::size_t slot = 0; slot < held.size(); ++slot) {
    if (held[slot].none()) continue;
    if (parts.empty() || parts.back().slots.size() == kMaxSlotsPerPart) parts.emplace_back();
    parts.back().slots.push_back({static_cast<uint8_t>(slot), held[slot]});
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].part = static_cast<uint16_t>(i);
    parts[i].parts = static_cast<uint16_t>(parts.size());
  }
  return parts;
}

}  // namespace nlb::wire
