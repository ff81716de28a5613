// SPDX-License-Identifier: Apache-2.0
// vmswitch.toml and a file of vmswitch.d of any bytes (a zero byte parts them): accepted, or refused with
// problems that say where and what. What is accepted can be changed by `set`, and is good after that; its
// policy compiles.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "vmswitch/override_file.hh"
#include "vmswitch/policy.hh"
#include "vmswitch/switch_config.hh"

namespace {

using namespace nlb::vmswitch;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_problems(const std::vector<nlb::ConfigProblem>& problems) {
  require(!problems.empty());
  for (const auto& problem : problems) {
    require(!problem.message.empty());
    require(
        std::none_of(problem.message.begin(), problem.message.end(), [](char c) { return (c & 0xe0) == 0; }));
  }
}

void check_policy(const SwitchConfig& config) {
  require(!config.switches.empty());
  ClusterNumbers numbers;
  numbers.follow(config.clusters);
  std::vector<BridgePort> present;
  for (const auto& port : config.ports)
    present.push_back({static_cast<uint32_t>(present.size() + 1), port.interface, config.switches[0].bridge});
  const auto policy = compile_policy(config, present, numbers);
  require(policy.ports.size() == config.ports.size());
  require(policy.macs.size() >= config.ports.size());
  std::size_t addresses = 0;
  for (const auto& port : config.ports) addresses += port.addresses.size();
  for (const auto& cluster : config.clusters) addresses += cluster.vips.size() * config.switches.size();
  require(policy.addresses.size() == addresses);
}

void check_change(const ConfigText& main, const ConfigText& override_text, const SwitchConfig& config) {
  for (const auto& port : config.ports) {
    if (port.vm != "web1") continue;
    const auto text = with_change(override_text.text, {"web1", port.adapter, MacSpoofing::off, {}, {}});
    require(text.has_value());
    const auto changed = parse_switch_config(main, {{override_text.path, *text}});
    require(changed.has_value());
    const auto* after = changed->port_on(port.interface);
    require(after != nullptr && after->mac_spoofing == MacSpoofing::off);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto part = text.find('\0');
  const ConfigText main{"vmswitch.toml", text.substr(0, part)};
  const ConfigText top{"web1.toml", part == std::string::npos ? "" : text.substr(part + 1)};
  const auto config = parse_switch_config(main, {top});
  if (!config) {
    check_problems(config.error());
    return 0;
  }
  check_policy(*config);
  check_change(main, top, *config);
  return 0;
}
