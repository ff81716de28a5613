// SPDX-License-Identifier: Apache-2.0
// Who owns which buckets, as this host's kernel filter has it, and what the host's TCP has counted: what the
// console's pictures are made of.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "control/config_json.hh"
#include "nlbd/answer.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;

// Two buckets a hex digit, the first in the higher bits.
std::string digits_of(const SlotStates& states) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(kBucketCount / 2);
  for (std::size_t bucket = 0; bucket < kBucketCount; bucket += 2)
    text += digits[static_cast<unsigned>(states[bucket]) << 2 | static_cast<unsigned>(states[bucket + 1])];
  return text;
}

}  // namespace

Json Daemon::buckets(const Json& request) {
  const auto slot = request.value("slot", std::size_t{0});
  bool in_use = false;
  uint64_t view = 0;
  protocol_->inspect([&](const core::Host& host, Nanos) {
    const auto& slots = host.ownership().slots();
    in_use = std::find(slots.begin(), slots.end(), slot) != slots.end();
    view = host.view().number;
  });
  if (!in_use) return failure("slot " + std::to_string(slot) + " is not in use", 1);
  Json answer = common();
  answer.update({{"slot", slot},
                 {"rule", rule_text(config_, slot)},
                 {"view", view},
                 {"states", digits_of(datapath_->buckets(slot))}});
  return answer;
}

// "Tcp: NAME NAME …" and "Tcp: N N …": the kernel's own counters of this network namespace.
Json Daemon::tcp_json() {
  std::ifstream file("/proc/self/net/snmp");
  std::string names, values;
  while (std::getline(file, names) && !names.starts_with("Tcp: ")) continue;
  std::getline(file, values);
  std::istringstream name(names), value(values);
  for (std::string key, number; name >> key && value >> number;)
    if (key == "PassiveOpens") return {{"passive_opens", std::stoull(number)}};
  return nullptr;
}

}  // namespace nlb
