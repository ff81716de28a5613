// SPDX-License-Identifier: Apache-2.0
#include "datapath/client_bucket.hh"

#include <nlb/abi/hash.h>

namespace nlb {
namespace {

uint64_t little_endian(const uint8_t* octets) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | octets[i];
  return value;
}

}  // namespace

uint32_t client_bucket(const std::array<uint8_t, 16>& seed, Affinity affinity, const IpAddress& client,
                       uint16_t port) {
  const uint64_t k0 = little_endian(seed.data()), k1 = little_endian(seed.data() + 8);
  if (client.is_v4())
    return nlb_bucket_v4(k0, k1, static_cast<uint32_t>(affinity), client.v4_host_order(), port);
  uint32_t words[4] = {};
  for (std::size_t i = 0; i < client.octets.size(); ++i) words[i / 4] = words[i / 4] << 8 | client.octets[i];
  return nlb_bucket_v6(k0, k1, static_cast<uint32_t>(affinity), words, port);
}

}  // namespace nlb
