// SPDX-License-Identifier: Apache-2.0
// What an administrator configured, checked and complete. Filled by src/control/config_file, read by
// everyone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.hh"
#include "base/net.hh"
#include "core/health_check.hh"

namespace nlb {

enum class ClusterMode : uint8_t { unicast = 1, multicast = 2, igmp = 3 };
enum class MacStrategy : uint8_t { automatic, add, replace };
enum class FilteringMode : uint8_t { multiple = 1, single = 2, disabled = 3 };
enum class Affinity : uint8_t { none = 0, single = 1, network = 2 };
enum class RuleProtocol : uint8_t { tcp = 1, udp = 2, both = 3 };
enum class InitialState : uint8_t { started, stopped, suspended };
enum class OnUnproven : uint8_t { refuse, bind };
// Where the filter works, from the least to the best; none: it is not attached, and never configured.
enum class DatapathKind : uint8_t { none, tc, xdp_generic, xdp_native };
// What members of the cluster may do here in the name of who asks them. Each may what those before it may.
enum class RemoteControl : uint8_t { none, query, operate, admin };

struct PortRule {
  std::optional<IpAddress> vip;  // nullopt = all VIPs
  uint16_t first_port = 0, last_port = 65535;
  RuleProtocol protocol = RuleProtocol::both;
  FilteringMode mode = FilteringMode::multiple;
  Affinity affinity = Affinity::single;
  std::optional<uint8_t> weight;  // 0..100; nullopt = equal, which counts as 50
  uint8_t handling_priority = 1;  // 1..64, mode single; lowest wins
  uint32_t timeout_s = 0;         // extended affinity, 0 = off

  bool operator==(const PortRule&) const = default;
};

[[nodiscard]] inline bool has_extended_affinity(const PortRule& rule) {
  return rule.mode == FilteringMode::multiple && rule.affinity != Affinity::none && rule.timeout_s != 0;
}

struct Vip {
  IpAddress address;
  std::optional<uint8_t> prefix_length;  // as written; the address itself is added as /32 or /128
  bool operator==(const Vip&) const = default;
};

struct KeySet {
  std::array<uint8_t, 16> seed{};             // the bucket hash's
  std::vector<std::array<uint8_t, 32>> keys;  // newest first: the first one signs, all verify
};

struct Config {
  std::string file;  // where it was read from
  // [cluster]
  std::string name;
  std::vector<Vip> vips;  // the first one is the primary
  ClusterMode mode = ClusterMode::unicast;
  MacStrategy mac_strategy = MacStrategy::automatic;
  std::string key_file;
  uint32_t max_hold_s = 0;
  // [host]
  HostId id = 0;
  std::string interface;
  InitialState initial_state = InitialState::started;
  std::vector<InitialState> persist = {InitialState::suspended};
  bool prove_path = true;  // false: bind as Windows NLB does, and find out by what clients say
  OnUnproven on_unproven = OnUnproven::refuse;
  DatapathKind datapath = DatapathKind::xdp_native;  // the best that is attached, where the adapter allows it
  uint32_t restart_hold_s = 10;
  uint32_t conflict_detection_ms = 200;  // before a VIP is added; 0 = none (RFC 5227 takes up to 7 s)
  // [heartbeat]
  uint32_t period_ms = 50;
  uint32_t tolerance = 10;
  // [control]: users, and groups with @ before their name
  std::vector<std::string> operators, admins;
  RemoteControl remote = RemoteControl::admin;
  // [metrics]
  std::optional<Endpoint> metrics_listen;  // nullopt = nowhere
  // [[port_rule]]
  std::vector<PortRule> rules;  // never empty: the default rule stands in
  // [[port_rule.health]]
  std::vector<HealthCheck> health_checks;

  KeySet keys;  // read from key_file
};

}  // namespace nlb
