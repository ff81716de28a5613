// SPDX-License-Identifier: Apache-2.0
#include "wire/tag.hh"

#include <nlb/abi/heartbeat.h>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace nlb::wire {

static_assert(sizeof(nlb_heartbeat_header) == kHeaderBytes);
static_assert(NLB_HEARTBEAT_SIGNATURE_BYTES == kSignatureBytes);
static_assert(kMaxHeartbeatBytes + NLB_HEARTBEAT_TAG_BYTES <= kMaxPayloadBytes);
static_assert(kMaxHeldBytes + NLB_HEARTBEAT_TAG_BYTES <= kMaxPayloadBytes);

std::vector<TagKey> tag_keys_of(const KeySet& keys) {
  std::vector<TagKey> tags;
  for (const auto& key : keys.keys) {
    TagKey tag{key_id_of(key), {}};
    const Sha256 digest = digest_for("opennlb tag key", key);
    std::copy_n(digest.begin(), tag.octets.size(), tag.octets.begin());
    tags.push_back(tag);
  }
  return tags;
}

void append_tag(const TagKey& key, std::vector<uint8_t>& frame) {
  assert(frame.size() >= kEnvelopeBytes);
  if (frame.size() + NLB_HEARTBEAT_TAG_BYTES > kMaxPayloadBytes) return;
  nlb_tagged tagged{};
  std::memcpy(&tagged.frame.header, frame.data(), kHeaderBytes);
  std::memcpy(tagged.frame.signature, frame.data() + frame.size() - kSignatureBytes, kSignatureBytes);
  nlb_tag_key words{};
  std::memcpy(words.words, key.octets.data(), sizeof words.words);
  for (__u64& word : words.words) word = nlb_little_endian(word);
  const __u64 tag = nlb_heartbeat_tag(&words, &tagged);
  for (int byte = 0; byte < NLB_HEARTBEAT_TAG_BYTES; ++byte)
    frame.push_back(static_cast<uint8_t>(tag >> 8 * byte));
}

}  // namespace nlb::wire
