// SPDX-License-Identifier: Apache-2.0
// Two rules of the same scope (both for all VIPs, or both for the same one) must not claim the same port and
// protocol: which one won would depend on the order of a file. A rule for one VIP beside a rule for all is no
// conflict: as in Windows NLB, the rule that names the VIP wins for it.
#include "control/rule_config.hh"

#include <algorithm>

#include "base/limits.hh"
#include "control/config_json.hh"
#include "control/config_values.hh"
#include "control/health_section.hh"

namespace nlb {
namespace {

constexpr const char* kVipAllowed = "\"all\" or one of [cluster] vips";
constexpr const char* kPortsAllowed = "\"N\" or \"N-M\" with 0..65535";

void read_vip(ConfigSection& section, const std::vector<Vip>& vips, PortRule& rule) {
  const auto text = section.text("vip", kVipAllowed);
  if (!text || *text == "all") return;
  const auto address = IpAddress::parse(*text);
  if (!address) return section.complain("vip", "is \"" + *text + "\"; allowed: " + kVipAllowed);
  rule.vip = *address;
  const bool known =
      std::any_of(vips.begin(), vips.end(), [&](const Vip& v) { return v.address == *address; });
  if (!known) section.complain("vip", *text + " is none of [cluster] vips; allowed: " + kVipAllowed);
}

void read_ports(ConfigSection& section, PortRule& rule) {
  const auto text = section.text("ports", kPortsAllowed);
  if (!text) return;
  const auto ports = parse_ports(*text);
  if (!ports) return section.complain("ports", "is \"" + *text + "\"; allowed: " + kPortsAllowed);
  std::tie(rule.first_port, rule.last_port) = *ports;
  if (rule.first_port > rule.last_port)
    section.complain("ports", "\"" + *text + "\" is reversed; allowed: the lower port first, \"" +
                                  std::to_string(rule.last_port) + "-" + std::to_string(rule.first_port) +
                                  "\"");
}

void read_weight(ConfigSection& section, PortRule& rule) {
  const auto* node = section.any("weight");
  if (node == nullptr || (node->kind == TomlNode::Kind::text && node->text == "equal")) return;
  if (node->kind == TomlNode::Kind::integer && node->integer >= 0 && node->integer <= kMaxWeight) {
    rule.weight = static_cast<uint8_t>(node->integer);
    return;
  }
  section.complain("weight", "is " + node->describe() + "; allowed: \"equal\" or a number 0.." +
                                 std::to_string(kMaxWeight));
}

// Keys that mean nothing in the rule's mode are errors: whoever wrote them expects something of them.
void reject_keys_of_other_modes(ConfigSection& section, const PortRule& rule, const char* mode) {
  const auto reject = [&](const char* key, const char* where) {
    if (section.has(key))
      section.complain(key, std::string("does not go with mode \"") + mode +
                                "\"; allowed: only with mode \"" + where + "\"");
  };
  if (rule.mode != FilteringMode::multiple)
    for (const char* key : {"affinity", "weight", "timeout_s"}) reject(key, "multiple");
  if (rule.mode != FilteringMode::single) reject("priority", "single");
}

PortRule read_rule(ConfigSection& section, const std::vector<Vip>& vips) {
  PortRule rule;
  read_vip(section, vips, rule);
  read_ports(section, rule);
  rule.protocol = section
                      .choice<RuleProtocol>("protocol", {{"tcp", RuleProtocol::tcp},
                                                         {"udp", RuleProtocol::udp},
                                                         {"both", RuleProtocol::both}})
                      .value_or(rule.protocol);
  const auto mode = section.choice<FilteringMode>("mode", {{"multiple", FilteringMode::multiple},
                                                           {"single", FilteringMode::single},
                                                           {"disabled", FilteringMode::disabled}});
  if (mode) rule.mode = *mode;
  rule.affinity = section
                      .choice<Affinity>("affinity", {{"none", Affinity::none},
                                                     {"single", Affinity::single},
                                                     {"network", Affinity::network}})
                      .value_or(rule.affinity);
  read_weight(section, rule);
  rule.handling_priority =
      static_cast<uint8_t>(section.number("priority", 1, kMaxHosts).value_or(rule.handling_priority));
  rule.timeout_s = section.number("timeout_s", 0, kMaxAffinityTimeoutS).value_or(rule.timeout_s);
  if (mode || !section.has("mode")) reject_keys_of_other_modes(section, rule, name_of(rule.mode));
  if (rule.mode == FilteringMode::multiple && rule.affinity == Affinity::none && rule.timeout_s != 0)
    section.complain("timeout_s",
                     "needs an affinity, this rule has affinity \"none\"; allowed: 0, or affinity \"single\" "
                     "or \"network\"");
  return rule;
}

bool overlap(const PortRule& a, const PortRule& b) {
  const bool same_protocol = (static_cast<int>(a.protocol) & static_cast<int>(b.protocol)) != 0;
  return a.vip == b.vip && same_protocol && a.first_port <= b.last_port && b.first_port <= a.last_port;
}

struct PlacedRule {
  PortRule rule;
  int line;
};

void reject_overlaps(const std::vector<PlacedRule>& rules, ProblemList& problems) {
  for (std::size_t later = 1; later < rules.size(); ++later) {
    const auto end = rules.begin() + static_cast<std::ptrdiff_t>(later);
    const auto earlier = std::find_if(
        rules.begin(), end, [&](const PlacedRule& r) { return overlap(r.rule, rules[later].rule); });
    if (earlier == end) continue;
    problems.add(rules[later].line, "port rule " + rule_text(rules[later].rule) + " overlaps " +
                                        rule_text(earlier->rule) + " of line " +
                                        std::to_string(earlier->line) +
                                        "; allowed: one rule for each VIP, port and protocol");
  }
}

}  // namespace

RuleTables read_rules(const std::vector<const TomlNode*>& tables, const std::vector<Vip>& vips,
                      ProblemList& problems) {
  RuleTables result;
  std::vector<PlacedRule> placed;
  for (const auto* table : tables) {
    if (placed.size() == kMaxRules) {
      problems.add(table->line, "more than " + std::to_string(kMaxRules) + " port rules, this file has " +
                                    std::to_string(tables.size()) + "; allowed: up to " +
                                    std::to_string(kMaxRules));
      break;
    }
    ConfigSection section(*table, "[[port_rule]]", problems);
    const PortRule rule = read_rule(section, vips);
    for (const auto* health : section.tables("health", "[[port_rule.health]]"))
      result.health_checks.push_back(read_health_check(*health, placed.size(), problems));
    section.reject_unknown_keys();
    placed.push_back({rule, table->line});
  }
  reject_overlaps(placed, problems);
  for (const auto& entry : placed) result.rules.push_back(entry.rule);
  return result;
}

}  // namespace nlb
