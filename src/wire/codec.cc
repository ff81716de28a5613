// SPDX-License-Identifier: Apache-2.0
// The envelope: header and signature around a body.
//
// Anybody on the segment can send us bytes, so what is cheap and reads nothing comes first: sizes, magic,
// version, cluster and key id are compared before the HMAC is computed, and no field of a body is read before
// it verifies.
#include "wire/codec.hh"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "wire/body.hh"
#include "wire/bytes.hh"
#include "wire/layout.hh"
#include "wire/signature.hh"

namespace nlb::wire {
namespace {

struct Envelope {
  uint32_t magic = 0;
  uint8_t major = 0, minor = 0;
  uint8_t type = 0;
  std::size_t total_bytes = 0;
  KeyId key{};
  ClusterId cluster{};
  Header header;
};

Envelope read_envelope(std::span<const uint8_t> payload) {
  Reader from(payload.first(kHeaderBytes));
  Envelope envelope;
  envelope.magic = from.get<uint32_t>();
  envelope.major = from.get<uint8_t>();
  envelope.minor = from.get<uint8_t>();
  envelope.type = from.get<uint8_t>();
  envelope.header.sender = from.get<uint8_t>();
  envelope.total_bytes = from.get<uint16_t>();
  from.skip(2);
  from.get(envelope.key);
  from.get(envelope.cluster);
  envelope.header.incarnation = from.get<uint64_t>();
  envelope.header.sequence = from.get<uint64_t>();
  return envelope;
}

}  // namespace

struct Codec::Impl {
  ClusterId cluster{};
  std::vector<Signer> signers;  // newest first

  [[nodiscard]] const Signer* signer_of(const KeyId& id) const {
    const auto found =
        std::find_if(signers.begin(), signers.end(), [&](const Signer& s) { return s.id() == id; });
    return found == signers.end() ? nullptr : &*found;
  }

  template <typename Body>
  [[nodiscard]] std::vector<uint8_t> encode(const Body& body, FrameType type) const {
    assert(in_range(body) && !signers.empty());
    const Signer& signer = signers.front();
    Writer to(kMaxPayloadBytes);
    to.put(kMagic);
    to.put(kVersionMajor);
    to.put(kVersionMinor);
    to.put(static_cast<uint8_t>(type));
    to.put(body.header.sender);
    to.put(uint16_t{0});  // the total length, known below
    to.put(uint16_t{0});
    to.put(signer.id());
    to.put(cluster);
    to.put(body.header.incarnation);
    to.put(body.header.sequence);
    write_body(to, body);
    std::vector<uint8_t>& bytes = to.bytes();
    const std::size_t total = bytes.size() + kSignatureBytes;
    assert(total <= kMaxPayloadBytes);
    bytes[kLengthOffset] = static_cast<uint8_t>(total >> 8);
    bytes[kLengthOffset + 1] = static_cast<uint8_t>(total);
    to.put(signer.sign(bytes));
    return std::move(bytes);
  }
};

Codec::Codec(const KeySet& keys, std::string_view cluster_name, const IpAddress& primary_vip)
    : impl_(std::make_unique<Impl>()) {
  impl_->cluster = cluster_id_of(cluster_name, primary_vip);
  for (const auto& key : keys.keys) impl_->signers.emplace_back(key);
}
Codec::~Codec() = default;
Codec::Codec(Codec&&) noexcept = default;
Codec& Codec::operator=(Codec&&) noexcept = default;

std::vector<uint8_t> Codec::encode(const Frame& frame) const {
  if (const auto* heartbeat = std::get_if<Heartbeat>(&frame))
    return impl_->encode(*heartbeat, FrameType::heartbeat);
  if (const auto* part = std::get_if<MessagePart>(&frame))
    return impl_->encode(*part, FrameType::message_part);
  const auto& list = std::get<HeldPart>(frame);
  return impl_->encode(list, list.owner == 0 ? FrameType::held_part : FrameType::kept_part);
}

tl::expected<Frame, Refusal> Codec::decode(std::span<const uint8_t> payload) const {
  if (payload.size() < kMinFrameBytes) return tl::unexpected(Refusal::too_short);
  if (payload.size() > kMaxPayloadBytes) return tl::unexpected(Refusal::too_long);
  const Envelope envelope = read_envelope(payload);
  if (envelope.magic != kMagic) return tl::unexpected(Refusal::wrong_magic);
  if (envelope.major != kVersionMajor) return tl::unexpected(Refusal::wrong_version);
  if (envelope.cluster != impl_->cluster) return tl::unexpected(Refusal::other_cluster);
  const Signer* signer = impl_->signer_of(envelope.key);
  if (signer == nullptr) return tl::unexpected(Refusal::unknown_key);
  // Where the signature stands depends on the stated length, so that is judged here and not after it.
  if (envelope.total_bytes < kMinFrameBytes || envelope.total_bytes > payload.size())
    return tl::unexpected(Refusal::bad_length);
  const auto signed_bytes = payload.first(envelope.total_bytes - kSignatureBytes);
  if (!signer->verify(signed_bytes, payload.subspan(signed_bytes.size(), kSignatureBytes)))
    return tl::unexpected(Refusal::bad_signature);

  const auto body = signed_bytes.subspan(kHeaderBytes);
  switch (static_cast<FrameType>(envelope.type)) {
    case FrameType::heartbeat:
      return read_heartbeat(body, envelope.header, envelope.minor);
    case FrameType::held_part:
      return read_held_part(body, envelope.header, envelope.minor, false);
    case FrameType::kept_part:
      return read_held_part(body, envelope.header, envelope.minor, true);
    case FrameType::message_part:
      return read_message_part(body, envelope.header, envelope.minor);
  }
  return tl::unexpected(Refusal::bad_field);
}

}  // namespace nlb::wire
