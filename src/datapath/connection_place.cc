// SPDX-License-Identifier: Apache-2.0
#include "datapath/connection_place.hh"

#include <arpa/inet.h>

#include <cstring>

#include "datapath/client_bucket.hh"

namespace nlb {
namespace {

// Index + 1; 0 = none.
uint32_t vip_number(const nlb_bank& bank, const IpAddress& vip) {
  if (vip.is_v4()) {
    const nlb_vip_entry& entry = bank.vips[nlb_vip_place(bank.vip_multiplier, vip.v4_host_order())];
    return entry.address == htonl(vip.v4_host_order()) ? entry.number : 0;
  }
  nlb_address6 words{};
  std::memcpy(words.words, vip.octets.data(), sizeof words.words);
  const uint32_t place = nlb_vip6_place(bank.vip6_multiplier, ntohl(words.words[0]), ntohl(words.words[1]),
                                        ntohl(words.words[2]), ntohl(words.words[3]));
  const uint32_t number = bank.vip6_numbers[place];
  if (number == 0 || number > NLB_MAX_VIPS) return 0;
  return std::memcmp(&bank.vips6[number - 1], &words, sizeof words) == 0 ? number : 0;
}

}  // namespace

std::optional<ConnectionPlace> place_of(const nlb_bank& bank, std::span<const nlb_port_block> blocks,
                                        const ClientConnection& connection) {
  const uint32_t number = vip_number(bank, connection.vip);
  if (number == 0 || number > kMaxVips) return std::nullopt;
  const uint32_t index = nlb_port_index(0, number - 1, NLB_TABLE_TCP, connection.vip_port);
  const uint32_t slot = blocks[index].slots[connection.vip_port % NLB_PORTS_PER_BLOCK];
  if (slot >= NLB_MAX_SLOTS) return std::nullopt;
  return ConnectionPlace{slot, client_bucket(bank.seed[0], bank.seed[1], bank.slots[slot].affinity,
                                             connection.client, connection.client_port)};
}

}  // namespace nlb
