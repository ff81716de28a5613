// SPDX-License-Identifier: Apache-2.0
#include "wire/steering_announcement.hh"

#include <nlb/abi/hash.h>

#include <algorithm>
#include <cassert>

#include "wire/bytes.hh"
#include "wire/refusal_text.hh"

namespace nlb::wire {
namespace {

using Refusal = SteeringRefusal;
using Row = std::bitset<kBucketCount>;
constexpr std::array<uint8_t, 4> kMagic = {'O', 'N', 'L', 'O'};
constexpr uint8_t kMajor = 1, kMinor = 0;
constexpr std::size_t kHeaderBytes = 16, kFieldHeaderBytes = 4;
constexpr std::size_t kSeedBytes = 16, kAddressBytes = 16, kPortsBytes = 8, kSlotBytes = 2;
constexpr std::size_t kRowBytes = 2 + kBucketCount / 8;
constexpr uint8_t kInTransition = 1, kHasContent = 2;  // flags of the header
constexpr uint8_t kTcp = 1, kUdp = 2;                  // of ports

// Types of fields. Append only.
enum class Field : uint16_t { seed = 1, address, slot, ports, row };

void put_header(Writer& out, uint32_t generation, uint8_t flags, std::size_t part, std::size_t parts,
                std::size_t field_bytes) {
  out.put(kMagic);
  out.put(kMajor);
  out.put(kMinor);
  out.put(static_cast<uint16_t>(kHeaderBytes + field_bytes));
  out.put(generation);
  out.put(flags);
  out.put(static_cast<uint8_t>(part));
  out.put(static_cast<uint8_t>(parts));
  out.put(uint8_t{0});
}

// Fields, each of which stands in one part as a whole.
class Parts {
 public:
  void add(Field type, Writer& value) {
    const std::size_t bytes = kFieldHeaderBytes + value.bytes().size();
    if (parts_.empty() || parts_.back().size() + bytes > kMaxSteeringPartBytes - kHeaderBytes)
      parts_.emplace_back();
    Writer out(bytes);
    out.put(static_cast<uint16_t>(type));
    out.put(static_cast<uint16_t>(value.bytes().size()));
    out.put(value.bytes());
    parts_.back().insert(parts_.back().end(), out.bytes().begin(), out.bytes().end());
  }
  [[nodiscard]] std::vector<std::vector<uint8_t>> with_headers(uint32_t generation) const {
    assert(parts_.size() <= kMaxSteeringParts);
    std::vector<std::vector<uint8_t>> made;
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      Writer out(kMaxSteeringPartBytes);
      put_header(out, generation, kHasContent, part, parts_.size(), parts_[part].size());
      out.put(parts_[part]);
      made.push_back(std::move(out.bytes()));
    }
    return made;
  }

 private:
  std::vector<std::vector<uint8_t>> parts_;
};

void add_rules(Parts& parts, const SteeringRules& rules) {
  Writer seed(kSeedBytes);
  seed.put(rules.seed);
  parts.add(Field::seed, seed);
  for (const IpAddress& vip : rules.vips) {
    Writer address(kAddressBytes);
    address.put(vip.octets);
    parts.add(Field::address, address);
  }
  for (std::size_t slot = 0; slot < rules.affinities.size(); ++slot) {
    Writer out(kSlotBytes);
    out.put(static_cast<uint8_t>(slot));
    out.put(rules.affinities[slot]);
    parts.add(Field::slot, out);
  }
  for (const SteeringPorts& ports : rules.ports) {
    assert(ports.slot < kMaxSlots && ports.vip <= rules.vips.size());
    Writer out(kPortsBytes);
    out.put(ports.slot);
    out.put(ports.vip);
    out.put(static_cast<uint8_t>((ports.tcp ? kTcp : 0) | (ports.udp ? kUdp : 0)));
    out.put(uint8_t{0});
    out.put(ports.first);
    out.put(ports.last);
    parts.add(Field::ports, out);
  }
}

// The first bucket is the lowest bit of the first octet.
void add_row(Parts& parts, uint8_t slot, const Row& row) {
  Writer out(kRowBytes);
  out.put(slot);
  out.put(uint8_t{0});
  for (std::size_t octet = 0; octet < kBucketCount / 8; ++octet) {
    uint8_t bits = 0;
    for (std::size_t bit = 0; bit < 8; ++bit)
      bits = static_cast<uint8_t>(bits | (row[octet * 8 + bit] ? 1U << bit : 0U));
    out.put(bits);
  }
  parts.add(Field::row, out);
}

bool take_slot(Reader value, SteeringContent& content) {
  if (value.left() < kSlotBytes) return false;
  const auto slot = value.get<uint8_t>(), affinity = value.get<uint8_t>();
  if (slot >= kMaxSlots || affinity > NLB_AFFINITY_NETWORK) return false;
  content.rules.affinities[slot] = affinity;
  return true;
}

bool take_ports(Reader value, SteeringContent& content) {
  if (value.left() < kPortsBytes || content.rules.ports.size() >= kMaxRules) return false;
  SteeringPorts ports;
  ports.slot = value.get<uint8_t>();
  ports.vip = value.get<uint8_t>();
  const auto protocols = value.get<uint8_t>();
  value.skip(1);
  ports.first = value.get<uint16_t>();
  ports.last = value.get<uint16_t>();
  ports.tcp = (protocols & kTcp) != 0;
  ports.udp = (protocols & kUdp) != 0;
  if (ports.slot >= kMaxSlots || ports.vip > kMaxVips || ports.first > ports.last) return false;
  content.rules.ports.push_back(ports);
  return true;
}

bool take_row(Reader value, SteeringContent& content) {
  if (value.left() < kRowBytes) return false;
  const auto slot = value.get<uint8_t>();
  value.skip(1);
  if (slot >= kMaxSlots || content.rows.contains(slot)) return false;
  Row& row = content.rows[slot];
  for (std::size_t octet = 0; octet < kBucketCount / 8; ++octet) {
    const auto bits = value.get<uint8_t>();
    for (std::size_t bit = 0; bit < 8; ++bit) row[octet * 8 + bit] = (bits >> bit & 1) != 0;
  }
  return true;
}

bool take_address(Reader value, SteeringContent& content) {
  if (value.left() < kAddressBytes || content.rules.vips.size() >= kMaxVips) return false;
  value.get(content.rules.vips.emplace_back().octets);
  const auto& vips = content.rules.vips;
  return std::count(vips.begin(), vips.end(), vips.back()) == 1;
}

bool take_field(uint16_t type, Reader value, SteeringContent& content) {
  switch (static_cast<Field>(type)) {
    case Field::seed:
      if (value.left() < kSeedBytes) return false;
      value.get(content.rules.seed);
      return true;
    case Field::address:
      return take_address(value, content);
    case Field::slot:
      return take_slot(value, content);
    case Field::ports:
      return take_ports(value, content);
    case Field::row:
      return take_row(value, content);
  }
  return true;  // a later version's
}

}  // namespace

NLB_TEXT_OF(SteeringRefusal, NLB_STEERING_REFUSALS)

std::vector<uint8_t> encode_steering_mark(uint32_t generation, bool in_transition) {
  Writer out(kHeaderBytes);
  put_header(out, generation, in_transition ? kInTransition : 0, 0, 0, 0);
  return std::move(out.bytes());
}

std::vector<std::vector<uint8_t>> encode_steering(uint32_t generation, const SteeringContent& content) {
  assert(!content.rules.vips.empty() && content.rules.vips.size() <= kMaxVips);
  Parts parts;
  add_rules(parts, content.rules);
  for (const auto& [slot, row] : content.rows) add_row(parts, slot, row);
  return parts.with_headers(generation);
}

tl::expected<SteeringContent, Refusal> SteeringAssembly::assemble() const {
  SteeringContent content;
  bool has_seed = false;
  for (const auto& part : parts_) {
    Reader fields(part);
    while (fields.left() > 0) {
      if (fields.left() < kFieldHeaderBytes) return tl::unexpected(Refusal::bad_field);
      const auto type = fields.get<uint16_t>();
      const std::size_t length = fields.get<uint16_t>();
      if (length > fields.left()) return tl::unexpected(Refusal::bad_field);
      if (!take_field(type, Reader(fields.take(length)), content)) return tl::unexpected(Refusal::bad_field);
      has_seed = has_seed || type == static_cast<uint16_t>(Field::seed);
    }
  }
  for (const SteeringPorts& ports : content.rules.ports)
    if (ports.vip > content.rules.vips.size()) return tl::unexpected(Refusal::bad_field);
  if (!has_seed || content.rules.vips.empty()) return tl::unexpected(Refusal::missing_field);
  return content;
}

tl::expected<SteeringAssembly::Taken, Refusal> SteeringAssembly::take(std::span<const uint8_t> payload) {
  if (payload.size() < kHeaderBytes) return tl::unexpected(Refusal::short_frame);
  Reader in(payload);
  std::array<uint8_t, 4> magic{};
  in.get(magic);
  if (magic != kMagic) return tl::unexpected(Refusal::bad_magic);
  if (in.get<uint8_t>() != kMajor) return tl::unexpected(Refusal::other_version);
  in.skip(1);  // the minor version: what it appends is passed over
  const std::size_t total = in.get<uint16_t>();
  Taken taken{in.get<uint32_t>()};
  const auto flags = in.get<uint8_t>();
  const std::size_t part = in.get<uint8_t>(), count = in.get<uint8_t>();
  if (total < kHeaderBytes || total > payload.size()) return tl::unexpected(Refusal::bad_length);
  taken.in_transition = (flags & kInTransition) != 0;
  if ((flags & kHasContent) == 0 || taken.in_transition) return taken;
  if (count == 0 || count > kMaxSteeringParts || part >= count || total == kHeaderBytes)
    return tl::unexpected(Refusal::bad_part);
  if (generation_ != taken.generation || parts_.size() != count) parts_.assign(count, {});
  generation_ = taken.generation;
  const auto fields = payload.first(total).subspan(kHeaderBytes);
  parts_[part].assign(fields.begin(), fields.end());
  if (std::any_of(parts_.begin(), parts_.end(), [](const auto& one) { return one.empty(); })) return taken;
  auto content = assemble();
  parts_.clear();
  if (!content) return tl::unexpected(content.error());
  taken.content = std::move(*content);
  return taken;
}

}  // namespace nlb::wire
