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
  return client_bucket(little_endian(seed.data()), little_endian(seed.data() + 8),
                       static_cast<uint32_t>(affinity), client, port);
}

uint32_t client_bucket(uint64_t seed0, uint64_t seed1, uint32_t affinity, const IpAddress& client,
                       uint16_t port) {
  if (client.is_v4()) return nlb_bucket_v4(seed0, seed1, affinity, client.v4_host_order(), port);
  uint32_t words[4] = {};
  for (std::size_t i = 0; i < client.octets.size(); ++i) words[i / 4] = words[i / 4] << 8 | client.octets[i];
  return nlb_bucket_v6(seed0, seed1, affinity, words, port);
}

}  // namespace nlb
