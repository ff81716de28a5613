// SPDX-License-Identifier: Apache-2.0
#include "datapath/program_identity.hh"

#include <openssl/evp.h>

#include <array>
#include <memory>

#include "base/hex.hh"

namespace nlb {

std::string program_identity(std::span<const std::byte> object, const MapSet& maps) {
  std::string given;
  for (const auto& [name, fd] : maps) given += name + '=' + std::to_string(map_id(fd.get())) + '\n';
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  const bool done = hash != nullptr && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1 &&
                    EVP_DigestUpdate(hash.get(), given.data(), given.size()) == 1 &&
                    EVP_DigestUpdate(hash.get(), object.data(), object.size()) == 1 &&
                    EVP_DigestFinal_ex(hash.get(), digest.data(), nullptr) == 1;
  if (!done) return {};
  return hex_of({digest.data(), 8});
}

}  // namespace nlb
