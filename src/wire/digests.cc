// SPDX-License-Identifier: Apache-2.0
// What hosts of one view must share, as digests, and what each may set for itself, as offers.
//
// Files that list the same rules in another order mean the same, so rules are brought into one order first.
// The same order numbers the slots and the offers: two hosts that agree on the digest then also agree on what
// slot 3 is. Load weight and handling priority are a host's own and stay out of order and digest.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "wire/bytes.hh"
#include "wire/codec.hh"
#include "wire/signature.hh"

namespace nlb::wire {
namespace {

// Affinity and timeout mean something in mode multiple only.
auto shared_part(const PortRule& rule) {
  const bool multiple = rule.mode == FilteringMode::multiple;
  return std::make_tuple(rule.vip, rule.first_port, rule.last_port, static_cast<uint8_t>(rule.protocol),
                         static_cast<uint8_t>(rule.mode),
                         multiple ? static_cast<uint8_t>(rule.affinity) : uint8_t{0},
                         multiple ? rule.timeout_s : uint32_t{0});
}

uint32_t digest_of(std::string_view purpose, Writer& data) {
  const Sha256 digest = digest_for(purpose, data.bytes());
  return Reader(digest).get<uint32_t>();
}

uint32_t rules_digest(const std::vector<PortRule>& rules) {
  Writer data(rules.size() * 28);
  for (const std::size_t index : rule_order(rules)) {
    const auto [vip, first, last, protocol, mode, affinity, timeout_s] = shared_part(rules[index]);
    data.put(vip.value_or(IpAddress{}).octets);  // "::" is never a VIP and stands for all
    data.put(first);
    data.put(last);
    data.put(protocol);
    data.put(mode);
    data.put(affinity);
    data.put(timeout_s);
  }
  return digest_of("opennlb rules", data);
}

uint32_t vips_digest(const std::vector<Vip>& vips) {
  std::vector<IpAddress> addresses;
  for (const Vip& vip : vips) addresses.push_back(vip.address);
  std::sort(addresses.begin(), addresses.end());
  Writer data(addresses.size() * 16);
  for (const IpAddress& address : addresses) data.put(address.octets);
  return digest_of("opennlb vips", data);
}

uint8_t offer_of(const PortRule& rule) {
  switch (rule.mode) {
    case FilteringMode::multiple:
      return rule.weight.value_or(kOfferEqual);
    case FilteringMode::single:
      return rule.handling_priority;
    case FilteringMode::disabled:
      break;
  }
  return kOfferDisabled;
}

}  // namespace

std::vector<std::size_t> rule_order(const std::vector<PortRule>& rules) {
  std::vector<std::size_t> order(rules.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return shared_part(rules[a]) < shared_part(rules[b]);
  });
  return order;
}

ConfigDigests digests_of(const Config& config, uint32_t generation) {
  Writer seed(config.keys.seed.size());
  seed.put(config.keys.seed);
  ConfigDigests digests;
  digests.mode = static_cast<uint8_t>(config.mode);
  digests.period_ms = static_cast<uint16_t>(config.period_ms);
  digests.tolerance = static_cast<uint16_t>(config.tolerance);
  digests.vips = vips_digest(config.vips);
  digests.rules = rules_digest(config.rules);
  digests.seed = digest_of("opennlb seed", seed);
  digests.generation = generation;
  return digests;
}

std::array<uint8_t, kMaxRules> offers_of(const Config& config) {
  std::array<uint8_t, kMaxRules> offers{};
  std::size_t slot = 0;
  for (const std::size_t index : rule_order(config.rules)) offers.at(slot++) = offer_of(config.rules[index]);
  return offers;
}

}  // namespace nlb::wire
