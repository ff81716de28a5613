// SPDX-License-Identifier: Apache-2.0
#include "control/config_json.hh"

#include <nlohmann/json.hpp>

namespace nlb {

const char* name_of(ClusterMode value) {
  switch (value) {
    case ClusterMode::unicast:
      return "unicast";
    case ClusterMode::multicast:
      return "multicast";
    case ClusterMode::igmp:
      return "igmp";
  }
  return "?";
}

const char* name_of(MacStrategy value) {
  switch (value) {
    case MacStrategy::automatic:
      return "auto";
    case MacStrategy::add:
      return "add";
    case MacStrategy::replace:
      return "replace";
  }
  return "?";
}

const char* name_of(FilteringMode value) {
  switch (value) {
    case FilteringMode::multiple:
      return "multiple";
    case FilteringMode::single:
      return "single";
    case FilteringMode::disabled:
      return "disabled";
  }
  return "?";
}

const char* name_of(Affinity value) {
  switch (value) {
    case Affinity::none:
      return "none";
    case Affinity::single:
      return "single";
    case Affinity::network:
      return "network";
  }
  return "?";
}

const char* name_of(RuleProtocol value) {
  switch (value) {
    case RuleProtocol::tcp:
      return "tcp";
    case RuleProtocol::udp:
      return "udp";
    case RuleProtocol::both:
      return "both";
  }
  return "?";
}

const char* name_of(InitialState value) {
  switch (value) {
    case InitialState::started:
      return "started";
    case InitialState::stopped:
      return "stopped";
    case InitialState::suspended:
      return "suspended";
  }
  return "?";
}

const char* name_of(OnUnproven value) {
  return value == OnUnproven::bind ? "bind" : "refuse";
}

const char* name_of(DatapathKind value) {
  constexpr const char* names[] = {"none", "tc", "xdp-generic", "xdp-native"};
  return names[static_cast<std::size_t>(value)];
}

const char* name_of(RemoteControl value) {
  constexpr const char* names[] = {"none", "query", "operate", "admin"};
  return names[static_cast<std::size_t>(value)];
}

const char* name_of(HealthType value) {
  constexpr const char* names[] = {"tcp", "http", "https", "exec"};
  return names[static_cast<std::size_t>(value)];
}

const char* name_of(OnHealthFailure value) {
  return value == OnHealthFailure::host ? "host" : "rule";
}

const char* name_of(AllDown value) {
  return value == AllDown::open ? "open" : "closed";
}

std::string ports_text(const PortRule& rule) {
  const auto first = std::to_string(rule.first_port);
  return rule.first_port == rule.last_port ? first : first + "-" + std::to_string(rule.last_port);
}

std::string rule_text(const PortRule& rule) {
  std::string vip = "all";
  if (rule.vip) vip = rule.vip->is_v4() ? rule.vip->text() : "[" + rule.vip->text() + "]";
  const std::string protocol = rule.protocol == RuleProtocol::both ? "tcp+udp" : name_of(rule.protocol);
  return vip + ":" + ports_text(rule) + " " + protocol;
}

std::string rule_text(const Config& config, std::size_t slot) {
  if (slot == kDefaultSlot) return "default";
  if (slot == kEchoSlot) return "echo";
  return slot < config.rules.size() ? rule_text(config.rules[slot]) : "slot " + std::to_string(slot);
}

nlohmann::json to_json(const PortRule& rule, std::size_t slot) {
  nlohmann::json json = {{"slot", slot},
                         {"vip", rule.vip ? rule.vip->text() : "all"},
                         {"ports", ports_text(rule)},
                         {"protocol", name_of(rule.protocol)},
                         {"mode", name_of(rule.mode)}};
  if (rule.mode == FilteringMode::single) json["priority"] = rule.handling_priority;
  if (rule.mode != FilteringMode::multiple) return json;
  json["affinity"] = name_of(rule.affinity);
  json["weight"] = rule.weight ? nlohmann::json(*rule.weight) : nlohmann::json("equal");
  json["timeout_s"] = rule.timeout_s;
  return json;
}

nlohmann::json to_json(const HealthCheck& check) {
  nlohmann::json json = {{"type", name_of(check.type)},
                         {"target", check.target},
                         {"interval_ms", check.interval_ms},
                         {"timeout_ms", check.timeout_ms},
                         {"fall", check.fall},
                         {"rise", check.rise},
                         {"flap_window_s", check.flap_window_s},
                         {"on_failure", name_of(check.on_failure)},
                         {"all_down", name_of(check.all_down)}};
  if (check.type != HealthType::http && check.type != HealthType::https) return json;
  json["path"] = check.path;
  json["expect_status"] = std::to_string(check.first_status) + "-" + std::to_string(check.last_status);
  json["expect_body"] = check.expect_body;
  json["host"] = check.host;
  return json;
}

nlohmann::json to_json(const Config& config) {
  nlohmann::json vips = nlohmann::json::array(), persist = nlohmann::json::array(),
                 rules = nlohmann::json::array();
  for (const auto& vip : config.vips)
    vips.push_back(vip.address.text() + (vip.prefix_length ? "/" + std::to_string(*vip.prefix_length) : ""));
  for (const auto state : config.persist) persist.push_back(name_of(state));
  for (std::size_t slot = 0; slot < config.rules.size(); ++slot)
    rules.push_back(to_json(config.rules[slot], slot));
  for (const HealthCheck& check : config.health_checks)
    rules[check.rule_index]["health"].push_back(to_json(check));
  return {{"cluster",
           {{"name", config.name},
            {"vips", vips},
            {"mode", name_of(config.mode)},
            {"mac_strategy", name_of(config.mac_strategy)},
            {"key_file", config.key_file},
            {"max_hold_s", config.max_hold_s}}},
          {"host",
           {{"id", config.id},
            {"interface", config.interface},
            {"initial_state", name_of(config.initial_state)},
            {"persist", persist},
            {"prove_path", config.prove_path},
            {"on_unproven", name_of(config.on_unproven)},
            {"datapath", name_of(config.datapath)},
            {"restart_hold_s", config.restart_hold_s},
            {"conflict_detection_ms", config.conflict_detection_ms}}},
          {"control", {{"remote", name_of(config.remote)}}},
          {"metrics", {{"listen", config.metrics_listen ? config.metrics_listen->text() : ""}}},
          {"heartbeat", {{"period_ms", config.period_ms}, {"tolerance", config.tolerance}}},
          {"port_rules", rules}};
}

}  // namespace nlb
