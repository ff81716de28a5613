// SPDX-License-Identifier: Apache-2.0
// The tag: SipHash-2-4 as OpenSSL computes it, over header and signature and nothing else; for the codec, it
// is not there.
#include "wire/tag.hh"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "sample_frames.hh"
#include "wire/codec.hh"

namespace nlb::wire {
namespace {

constexpr std::size_t kTagBytes = 8;

std::vector<uint8_t> siphash24(const std::array<uint8_t, 16>& key, const std::vector<uint8_t>& message) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  std::size_t size = kTagBytes, written = 0;
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                             OSSL_PARAM_construct_end()};
  std::vector<uint8_t> out(kTagBytes);
  EXPECT_EQ(EVP_MAC_init(context, key.data(), key.size(), parameters), 1);
  EXPECT_EQ(EVP_MAC_update(context, message.data(), message.size()), 1);
  EXPECT_EQ(EVP_MAC_final(context, out.data(), &written, out.size()), 1);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  return out;
}

std::vector<uint8_t> tagged(const Frame& frame, const KeySet& keys = sample_keys()) {
  auto bytes = Codec(keys, "web", sample_vip()).encode(frame);
  append_tag(tag_keys_of(keys).front(), bytes);
  return bytes;
}

TEST(Tag, IsSiphashOfHeaderAndSignature) {
  for (const Frame& frame : {Frame(sample_heartbeat()), Frame(sample_held_part())}) {
    const auto bytes = tagged(frame);
    const std::size_t total = bytes.size() - kTagBytes;
    std::vector<uint8_t> message(bytes.begin(), bytes.begin() + kHeaderBytes);
    message.insert(message.end(), bytes.begin() + static_cast<std::ptrdiff_t>(total - kSignatureBytes),
                   bytes.begin() + static_cast<std::ptrdiff_t>(total));
    message.resize(64);  // four octets of zero
    const std::vector<uint8_t> tag(bytes.end() - kTagBytes, bytes.end());
    EXPECT_EQ(tag, siphash24(tag_keys_of(sample_keys()).front().octets, message));
  }
}

TEST(Tag, IsPaddingForTheCodec) {
  const auto decoded = Codec(sample_keys(), "web", sample_vip()).decode(tagged(Frame(fullest_heartbeat())));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_TRUE(*decoded == Frame(fullest_heartbeat()));
}

TEST(Tag, GoesWhereThereIsRoom) {
  std::vector<uint8_t> frame(kMaxPayloadBytes - kTagBytes);
  append_tag(tag_keys_of(sample_keys()).front(), frame);
  EXPECT_EQ(frame.size(), kMaxPayloadBytes);
  append_tag(tag_keys_of(sample_keys()).front(), frame);
  EXPECT_EQ(frame.size(), kMaxPayloadBytes);
}

TEST(Tag, HasAKeyOfItsOwnForEachKey) {
  KeySet keys = sample_keys();
  keys.keys.push_back(keys.keys.front());
  keys.keys.back()[0] ^= 1;
  const auto tags = tag_keys_of(keys);
  ASSERT_EQ(tags.size(), keys.keys.size());
  EXPECT_NE(tags.front().octets, tags.back().octets);
  EXPECT_EQ(tags.front().id, key_id_of(keys.keys.front()));
  EXPECT_FALSE(std::equal(tags.front().octets.begin(), tags.front().octets.end(), keys.keys.front().begin()));
}

}  // namespace
}  // namespace nlb::wire
