// SPDX-License-Identifier: Apache-2.0
// HMAC and digests by libcrypto's EVP interface. Fetching an algorithm and scheduling a key cost more than
// signing a frame, so both are done once: a signature re-initialises the context with the key that it already
// has.
#include "wire/signature.hh"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace nlb::wire {
namespace {

// A libcrypto without SHA-256 or out of memory is no environment to run in.
void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("libcrypto refuses ") + what);
}

EVP_MAC* hmac() {
  static EVP_MAC* const fetched = EVP_MAC_fetch(nullptr, "HMAC", nullptr);  // lives as long as the process
  require(fetched != nullptr, "HMAC");
  return fetched;
}

}  // namespace

Sha256 digest_for(std::string_view purpose, std::span<const uint8_t> data) {
  std::vector<uint8_t> input(purpose.begin(), purpose.end());
  input.insert(input.end(), data.begin(), data.end());
  Sha256 digest{};
  unsigned length = 0;
  const int done = EVP_Digest(input.data(), input.size(), digest.data(), &length, EVP_sha256(), nullptr);
  OPENSSL_cleanse(input.data(), input.size());
  require(done == 1 && length == digest.size(), "SHA-256");
  return digest;
}

KeyId key_id_of(std::span<const uint8_t, 32> key) {
  const Sha256 digest = digest_for("opennlb key id", key);
  KeyId id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

ClusterId cluster_id_of(std::string_view name, const IpAddress& primary_vip) {
  std::vector<uint8_t> data(name.begin(), name.end());
  data.insert(data.end(), primary_vip.octets.begin(), primary_vip.octets.end());
  const Sha256 digest = digest_for("opennlb cluster id", data);
  ClusterId id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

void Signer::FreeContext::operator()(EVP_MAC_CTX* context) const {
  EVP_MAC_CTX_free(context);
}

Signer::Signer(std::span<const uint8_t, 32> key) : id_(key_id_of(key)), context_(EVP_MAC_CTX_new(hmac())) {
  require(context_ != nullptr, "a MAC context");
  char digest_name[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
                                   OSSL_PARAM_construct_end()};
  require(EVP_MAC_init(context_.get(), key.data(), key.size(), parameters) == 1, "HMAC-SHA256");
}

Signature Signer::sign(std::span<const uint8_t> bytes) const {
  Sha256 whole{};
  std::size_t length = 0;
  const bool done = EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
                    EVP_MAC_update(context_.get(), bytes.data(), bytes.size()) == 1 &&
                    EVP_MAC_final(context_.get(), whole.data(), &length, whole.size()) == 1;
  require(done && length == whole.size(), "to sign");
  Signature signature;
  std::copy_n(whole.begin(), signature.size(), signature.begin());
  return signature;
}

bool Signer::verify(std::span<const uint8_t> bytes, std::span<const uint8_t> signature) const {
  const Signature expected = sign(bytes);
  return signature.size() == expected.size() &&
         CRYPTO_memcmp(signature.data(), expected.data(), expected.size()) == 0;
}

}  // namespace nlb::wire
