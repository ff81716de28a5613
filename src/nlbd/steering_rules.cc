// SPDX-License-Identifier: Apache-2.0
#include "nlbd/steering_rules.hh"

#include <algorithm>

namespace nlb {
namespace {

wire::SteeringPorts ports_of(const FilterConfig& config, std::size_t slot) {
  const PortRule& rule = config.rules[slot];
  wire::SteeringPorts ports;
  ports.slot = static_cast<uint8_t>(slot);
  if (rule.vip) {
    const auto vip = std::find(config.vips.begin(), config.vips.end(), *rule.vip);
    ports.vip = static_cast<uint8_t>(vip - config.vips.begin() + 1);
  }
  ports.tcp = rule.protocol != RuleProtocol::udp;
  ports.udp = rule.protocol != RuleProtocol::tcp;
  ports.first = rule.first_port;
  ports.last = rule.last_port;
  return ports;
}

bool names_no_vip(const FilterConfig& config, const PortRule& rule) {
  return rule.vip && std::find(config.vips.begin(), config.vips.end(), *rule.vip) == config.vips.end();
}

}  // namespace

// Where rules overlap, one that names an address goes before one for all; else the first wins.
wire::SteeringRules steering_rules_of(const FilterConfig& config) {
  wire::SteeringRules rules;
  rules.seed = config.seed;
  rules.vips = config.vips;
  rules.affinities.fill(static_cast<uint8_t>(Affinity::single));
  for (std::size_t slot = 0; slot < config.rules.size(); ++slot)
    rules.affinities[slot] = static_cast<uint8_t>(config.rules[slot].affinity);
  for (const bool named : {true, false})
    for (std::size_t slot = 0; slot < config.rules.size(); ++slot)
      if (config.rules[slot].vip.has_value() == named && !names_no_vip(config, config.rules[slot]))
        rules.ports.push_back(ports_of(config, slot));
  return rules;
}

BucketSet accepting(const SlotStates& states) {
  BucketSet set;
  for (std::size_t bucket = 0; bucket < states.size(); ++bucket)
    set[bucket] = states[bucket] != BucketState::foreign;
  return set;
}

}  // namespace nlb
