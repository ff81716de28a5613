// SPDX-License-Identifier: Apache-2.0
#include "datapath/bank.hh"

#include <arpa/inet.h>
#include <nlb/abi/hash.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace nlb {
namespace {

uint32_t network_order(const IpAddress& address) {
  return htonl(address.v4_host_order());
}

nlb_address6 words_of(const IpAddress& address) {
  nlb_address6 words{};
  std::memcpy(words.words, address.octets.data(), sizeof words.words);
  return words;
}

uint64_t little_endian(std::span<const uint8_t, 8> bytes) {
  uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

// A perfect hash of at most 64 addresses into 1024 places: an odd multiplier without collisions is found
// within a few dozen tries on average (one in eight fits for 64 random addresses).
bool place_v4_vips(const FilterConfig& config, uint32_t multiplier, nlb_bank& bank) {
  std::memset(bank.vips, 0, sizeof bank.vips);
  bank.vip_multiplier = multiplier;
  for (std::size_t i = 0; i < config.vips.size(); ++i) {
    if (!config.vips[i].is_v4()) continue;
    nlb_vip_entry& entry = bank.vips[nlb_vip_place(multiplier, config.vips[i].v4_host_order())];
    if (entry.number != 0) return false;
    entry = {network_order(config.vips[i]), static_cast<uint32_t>(i + 1)};
  }
  return true;
}

bool place_v6_vips(const FilterConfig& config, uint32_t multiplier, nlb_bank& bank) {
  std::memset(bank.vip6_numbers, 0, sizeof bank.vip6_numbers);
  bank.vip6_multiplier = multiplier;
  for (std::size_t i = 0; i < config.vips.size(); ++i) {
    if (config.vips[i].is_v4()) continue;
    const nlb_address6 address = bank.vips6[i] = words_of(config.vips[i]);
    const __u32* words = address.words;
    uint8_t& number = bank.vip6_numbers[nlb_vip6_place(multiplier, ntohl(words[0]), ntohl(words[1]),
                                                       ntohl(words[2]), ntohl(words[3]))];
    if (number != 0) return false;
    number = static_cast<uint8_t>(i + 1);
  }
  return true;
}

template <typename Place>
Result<void> find_places(const FilterConfig& config, nlb_bank& bank, Place place) {
  uint32_t multiplier = 0x9e3779b1;  // 2^32 / golden ratio, then a step that keeps it odd
  for (int tries = 0; !place(config, multiplier, bank); ++tries) {
    if (tries == 1'000'000) return fail("no collision-free place for these virtual IP addresses");
    multiplier = multiplier * 0x01000193 + 0x10;
  }
  return {};
}

Result<void> check(const FilterConfig& config) {
  if (config.vips.size() > kMaxVips)
    return fail("more than " + std::to_string(kMaxVips) + " virtual IP addresses");
  if (config.rules.size() > kMaxRules) return fail("more than " + std::to_string(kMaxRules) + " port rules");
  if (std::set<IpAddress>(config.vips.begin(), config.vips.end()).size() != config.vips.size()) {
    return fail("a virtual IP address is listed twice");
  }
  return {};
}

void fill_slots(const FilterConfig& config, nlb_bank& bank) {
  for (nlb_slot& slot : bank.slots) slot = {NLB_AFFINITY_SINGLE, NLB_SLOT_ENABLED};
  for (std::size_t i = 0; i < config.rules.size(); ++i) {
    const PortRule& rule = config.rules[i];
    bank.slots[i].affinity = static_cast<uint8_t>(rule.affinity);
    bank.slots[i].flags = rule.mode == FilteringMode::disabled ? 0
                          : has_extended_affinity(rule)        ? NLB_SLOT_ENABLED | NLB_SLOT_EXTENDED
                                                               : NLB_SLOT_ENABLED;
  }
}

void fill_macs(const FilterConfig& config, nlb_bank& bank) {
  const MacAddress& source = config.replace ? config.masked_mac : config.adapter_mac;
  std::memcpy(bank.cluster_mac, config.cluster_mac.octets.data(), 6);
  std::memcpy(bank.masked_mac, config.masked_mac.octets.data(), 6);
  std::memcpy(bank.adapter_mac, config.adapter_mac.octets.data(), 6);
  std::memcpy(bank.source_mac, source.octets.data(), 6);
}

void fill_ports(const PortRule& rule, uint8_t slot, std::span<nlb_port_block> table) {
  for (uint32_t port = rule.first_port; port <= rule.last_port; ++port) {
    table[port / NLB_PORTS_PER_BLOCK].slots[port % NLB_PORTS_PER_BLOCK] = slot;
  }
}

bool concerns(const PortRule& rule, uint32_t table) {
  const RuleProtocol own = table == NLB_TABLE_TCP ? RuleProtocol::tcp : RuleProtocol::udp;
  return rule.protocol == RuleProtocol::both || rule.protocol == own;
}

// Written backwards so that the first rule has the last word; rules for all VIPs before those that name this
// one.
void fill_table(const FilterConfig& config, const IpAddress& vip, uint32_t table,
                std::span<nlb_port_block> blocks) {
  for (const bool named : {false, true}) {
    for (std::size_t i = config.rules.size(); i-- > 0;) {
      const PortRule& rule = config.rules[i];
      if (rule.vip.has_value() != named || (named && *rule.vip != vip) || !concerns(rule, table)) continue;
      fill_ports(rule, static_cast<uint8_t>(i), blocks);
    }
  }
}

}  // namespace

Result<nlb_bank> make_bank(const FilterConfig& config) {
  if (auto checked = check(config); !checked) return tl::unexpected(checked.error());
  nlb_bank bank{};
  bank.abi_version = NLB_ABI_VERSION;
  bank.flags = (config.bound ? NLB_BANK_BOUND : 0U) | (config.replace ? NLB_BANK_REPLACE : 0U) |
               (config.cluster_mac.is_zero() ? 0U : NLB_BANK_HAS_MAC) |
               (config.asks_tracking ? NLB_BANK_ASKS : 0U);
  const std::span<const uint8_t, 16> seed(config.seed);
  bank.seed[0] = little_endian(seed.first<8>());
  bank.seed[1] = little_endian(seed.last<8>());
  bank.reset_wait_ns = config.reset_wait_ns;
  bank.dedicated_ip = config.dedicated_ip.is_v4() ? network_order(config.dedicated_ip) : 0;
  fill_macs(config, bank);
  fill_slots(config, bank);
  bank.dedicated6_set = config.dedicated_ip6.is_unspecified() ? 0 : 1;
  bank.dedicated6 = words_of(config.dedicated_ip6);
  if (auto placed = find_places(config, bank, place_v4_vips); !placed) return tl::unexpected(placed.error());
  if (auto placed = find_places(config, bank, place_v6_vips); !placed) return tl::unexpected(placed.error());
  return bank;
}

void fill_port_blocks(const FilterConfig& config, std::span<nlb_port_block> blocks) {
  std::memset(blocks.data(), NLB_SLOT_DEFAULT, blocks.size_bytes());
  for (uint32_t vip = 0; vip < config.vips.size(); ++vip) {
    for (const uint32_t table : {uint32_t{NLB_TABLE_TCP}, uint32_t{NLB_TABLE_UDP}}) {
      auto own = blocks.subspan(nlb_port_index(0, vip, table, 0), NLB_BLOCKS_PER_TABLE);
      fill_table(config, config.vips[vip], table, own);
    }
  }
}

}  // namespace nlb
