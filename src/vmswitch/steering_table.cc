// SPDX-License-Identifier: Apache-2.0
// Rules part the ports of a protocol into ranges within which no rule begins or ends. Ports of one range are
// of one class, so the table that says a slot needs a line for each class rather than for each port.
#include "vmswitch/steering_table.hh"

#include <algorithm>
#include <iterator>
#include <set>

namespace nlb::vmswitch {
namespace {

constexpr uint32_t kPorts = 65536;

uint64_t little_endian(std::span<const uint8_t, 8> octets) {
  uint64_t value = 0;
  for (std::size_t i = octets.size(); i-- > 0;) value = value << 8 | octets[i];
  return value;
}

bool is_of(const wire::SteeringPorts& ports, std::size_t table) {
  return table == NLB_STEERING_TABLE_TCP ? ports.tcp : ports.udp;
}

uint8_t slot_of(const wire::SteeringRules& rules, std::size_t table, std::size_t vip, uint32_t port) {
  const auto found = std::find_if(rules.ports.begin(), rules.ports.end(), [&](const auto& ports) {
    return is_of(ports, table) && (ports.vip == 0 || ports.vip == vip + 1) && ports.first <= port &&
           port <= ports.last;
  });
  return found != rules.ports.end() ? found->slot : uint8_t{NLB_SLOT_DEFAULT};
}

void fill_table(const wire::SteeringRules& rules, std::size_t table, nlb_steering_config& config) {
  std::set<uint32_t> begins = {0};
  for (const auto& ports : rules.ports) {
    if (!is_of(ports, table)) continue;
    begins.insert(ports.first);
    begins.insert(ports.last + 1U);
  }
  begins.erase(kPorts);
  std::size_t kind = 0;
  for (auto begin = begins.begin(); begin != begins.end(); ++begin, ++kind) {
    const auto next = std::next(begin);
    const uint32_t end = next != begins.end() ? *next : kPorts;
    std::fill(config.classes[table] + *begin, config.classes[table] + end, static_cast<uint8_t>(kind));
    for (std::size_t vip = 0; vip < rules.vips.size(); ++vip)
      config.slots[table][vip][kind] = slot_of(rules, table, vip, *begin);
  }
}

}  // namespace

std::unique_ptr<nlb_steering_config> steering_config_of(const wire::SteeringRules& rules) {
  auto config = std::make_unique<nlb_steering_config>();
  const std::span<const uint8_t, 16> seed(rules.seed);
  config->seed[0] = little_endian(seed.first<8>());
  config->seed[1] = little_endian(seed.last<8>());
  std::copy(rules.affinities.begin(), rules.affinities.end(), config->affinities);
  for (std::size_t table = 0; table < std::size(config->classes); ++table) fill_table(rules, table, *config);
  return config;
}

nlb_steering_row steering_row_of(uint32_t generation, const std::bitset<kBucketCount>& accepts) {
  nlb_steering_row row{};
  row.generation = generation;
  for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
    if (accepts[bucket]) row.accepts[bucket / 64] |= uint64_t{1} << (bucket % 64);
  return row;
}

bool mark_replicas(nlb_steering_row& row, nlb_steering_row& earlier) {
  bool changed = false;
  for (std::size_t word = 0; word < std::size(row.accepts); ++word) {
    const uint64_t replicas = row.accepts[word] & earlier.accepts[word];
    changed = changed || replicas != row.replicas[word];
    row.replicas[word] = replicas;
    earlier.accepts[word] |= row.accepts[word];
  }
  return changed;
}

}  // namespace nlb::vmswitch
