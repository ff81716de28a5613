// SPDX-License-Identifier: Apache-2.0
#include "heartbeats.hh"

#include "wire/tag.hh"

namespace nlb::test {
namespace {

HeartbeatKey key_with(uint8_t first) {
  HeartbeatKey key;
  for (uint8_t& octet : key.id) octet = first++;
  for (uint8_t& octet : key.octets) octet = first++;
  return key;
}

void put64(Frame& frame, uint64_t value) {
  put32(frame, static_cast<uint32_t>(value >> 32));
  put32(frame, static_cast<uint32_t>(value));
}

}  // namespace

HeartbeatKey tag_key() {
  return key_with(0xa0);  // repeated in oracle.py
}
HeartbeatKey other_tag_key() {
  return key_with(0x10);
}

Frame heartbeat(const Speaker& speaker, const HeartbeatKey& key, std::size_t body_bytes) {
  Frame payload = {'O', 'N', 'L', 'B', 1, 0, 1, speaker.id};
  put16(payload, 44 + body_bytes + 16);
  put16(payload, 0);
  payload.insert(payload.end(), key.id.begin(), key.id.end());
  put64(payload, 7);  // cluster
  put64(payload, speaker.incarnation);
  put64(payload, speaker.sequence);
  payload.insert(payload.end(), body_bytes, 0x33);
  for (uint8_t octet = 0; octet < 16; ++octet) payload.push_back(octet);
  wire::append_tag({key.id, key.octets}, payload);
  return payload;
}

}  // namespace nlb::test
