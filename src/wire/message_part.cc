// SPDX-License-Identifier: Apache-2.0
// The body of what members ask each other. Field order and ranges: docs/protocol/administration.md.
#include <algorithm>

#include "wire/appended.hh"
#include "wire/body.hh"
#include "wire/layout.hh"

namespace nlb::wire {

bool in_range(const MessagePart& part) {
  const auto is_host = [](HostId id) { return id >= 1 && id <= kMaxHosts; };
  if (!is_host(part.header.sender) || !is_host(part.target) || part.number == 0) return false;
  if (part.kind < MessagePart::Kind::request || part.kind > MessagePart::Kind::receipt) return false;
  if (part.parts == 0 || part.parts > kMaxMessageParts || part.part >= part.parts) return false;
  if (part.kind == MessagePart::Kind::receipt) return part.parts == 1 && part.data.empty();
  const bool last = part.part + 1 == part.parts;
  return last ? part.data.size() <= kMaxChunkBytes : part.data.size() == kMaxChunkBytes;
}

void write_body(Writer& to, const MessagePart& part) {
  to.put(static_cast<uint8_t>(part.kind));
  to.put(part.target);
  to.put(part.part);
  to.put(part.parts);
  to.put(static_cast<uint16_t>(part.data.size()));
  to.put(uint16_t{0});
  to.put(part.number);
  to.put(part.echo);
  to.put(part.target_incarnation);
  to.put(part.have);
  to.put(part.data);
  for (std::size_t filled = part.data.size(); filled < kMinChunkRoom; ++filled) to.put(uint8_t{0});
  write_appended(to);
}

tl::expected<MessagePart, Refusal> read_message_part(std::span<const uint8_t> body, const Header& header,
                                                     uint8_t minor) {
  if (body.size() < kMessageFixedBytes + kMinChunkRoom) return tl::unexpected(Refusal::bad_length);
  Reader from(body);
  MessagePart part;
  part.header = header;
  part.kind = static_cast<MessagePart::Kind>(from.get<uint8_t>());
  part.target = from.get<uint8_t>();
  part.part = from.get<uint8_t>();
  part.parts = from.get<uint8_t>();
  const std::size_t length = from.get<uint16_t>();
  from.skip(2);
  part.number = from.get<uint32_t>();
  part.echo = from.get<uint32_t>();
  part.target_incarnation = from.get<uint64_t>();
  part.have = from.get<uint64_t>();
  if (from.left() < std::max(length, kMinChunkRoom)) return tl::unexpected(Refusal::bad_length);
  const auto data = from.take(length);
  part.data.assign(data.begin(), data.end());
  if (length < kMinChunkRoom) from.skip(kMinChunkRoom - length);
  if (!read_appended(from, minor)) return tl::unexpected(Refusal::bad_length);
  if (!in_range(part)) return tl::unexpected(Refusal::bad_field);
  return part;
}

}  // namespace nlb::wire
