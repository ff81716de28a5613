// SPDX-License-Identifier: Apache-2.0
#include "sim/wire_path.hh"

#include "core/planted.hh"
#include "sim/next_minor.hh"

namespace nlb::sim {
namespace {

KeySet keys_of(uint8_t octet) {
  KeySet keys;
  keys.keys.emplace_back().fill(octet);
  return keys;
}

}  // namespace

struct WirePath::Codecs {
  IpAddress vip = IpAddress::v4(0x0a4d0064);
  wire::Codec ours{keys_of(0x5a), "sim", vip};       // as in next_minor.cc
  wire::Codec strangers{keys_of(0x77), "sim", vip};  // somebody who knows all but the key
};

WirePath::WirePath() : codecs_(std::make_unique<Codecs>()) {}
WirePath::~WirePath() = default;

std::vector<uint8_t> WirePath::encode(const wire::Frame& frame, bool next_minor) const {
  auto bytes = codecs_->ours.encode(frame);
  if (!next_minor) return bytes;
  return through_next_minor(bytes).value_or(std::vector<uint8_t>{});
}

tl::expected<wire::Frame, wire::Refusal> WirePath::decode(const std::vector<uint8_t>& bytes,
                                                          bool next_minor) const {
  if (!next_minor) return codecs_->ours.decode(bytes);
  const auto understood = through_next_minor(bytes);
  if (!understood) return tl::unexpected(wire::Refusal::bad_field);
  return codecs_->ours.decode(*understood);
}

std::string WirePath::round_trip(const wire::Frame& frame, bool sender_next, bool receiver_next,
                                 std::vector<uint8_t>& bytes) const {
  bytes = encode(frame, sender_next);
  const auto decoded = decode(bytes, receiver_next);
  if (!decoded) return "a frame is refused: " + std::string(text_of(decoded.error()));
  return *decoded == frame ? "" : "a frame does not come out as it went in";
}

std::vector<uint8_t> WirePath::forge(const std::vector<uint8_t>& recorded, Random& random) const {
  std::vector<uint8_t> bytes = recorded;
  switch (recorded.empty() ? 0u : random.below(4)) {
    case 0:  // noise
      bytes.resize(random.below(600));
      for (auto& octet : bytes) octet = static_cast<uint8_t>(random.next());
      return bytes;
    case 1:  // an octet changed
      bytes[random.below(static_cast<uint32_t>(bytes.size()))] ^= static_cast<uint8_t>(1 + random.below(255));
      return bytes;
    case 2:  // cut short
      bytes.resize(random.below(static_cast<uint32_t>(bytes.size())));
      return bytes;
    default:  // well formed, signed by another key
      if (core::planted(core::Bug::key_known)) return bytes;
      if (const auto frame = codecs_->ours.decode(recorded)) return codecs_->strangers.encode(*frame);
      return bytes;
  }
}

}  // namespace nlb::sim
