// SPDX-License-Identifier: Apache-2.0
// The three plain sections of the configuration, and the way from a path to a checked Config. Rules:
// rule_config.cc.
#include "control/config_file.hh"

#include <algorithm>
#include <filesystem>

#include "base/limits.hh"
#include "control/config_section.hh"
#include "control/config_text.hh"
#include "control/config_values.hh"
#include "control/metrics_section.hh"
#include "control/rule_config.hh"
#include "wire/codec.hh"

namespace nlb {
namespace {

constexpr uint32_t kMaxHoldS = 365u * 24 * 3600;  // a year
constexpr uint32_t kMaxConflictDetectionMs = 10000;
constexpr uint32_t kMaxRestartHoldS = 65535;  // 16 bits in a heartbeat
constexpr const char* kNameAllowed = "1 to 32 letters, digits, \"-\" and \"_\"";
constexpr const char* kVipsAllowed =
    "a list of 1 to 64 IPv4 or IPv6 addresses, each \"ADDRESS\" or \"ADDRESS/PREFIX\"";
constexpr const char* kInterfaceAllowed = "the name of a network interface, 1 to 15 characters";

const std::initializer_list<std::pair<std::string_view, InitialState>> kStates = {
    {"started", InitialState::started},
    {"stopped", InitialState::stopped},
    {"suspended", InitialState::suspended}};

void read_name(ConfigSection& section, Config& config) {
  section.require("name", kNameAllowed);
  config.name = section.text("name", kNameAllowed).value_or("");
  if (!section.has("name")) return;
  if (config.name == "vmswitch") {
    section.complain("name",
                     "\"vmswitch\" is taken by nlb-vmswitch's own directories; allowed: another name");
  } else if (!is_cluster_name(config.name) &&
             !(config.name.empty() && section.any("name")->kind != TomlNode::Kind::text)) {
    section.complain("name", "is \"" + config.name + "\"; allowed: " + kNameAllowed);
  }
}

void read_one_vip(const TomlNode& item, ProblemList& problems, std::vector<Vip>& vips) {
  if (item.kind != TomlNode::Kind::text)
    return problems.add(item.line, "vips holds " + item.describe() + "; allowed: " + kVipsAllowed);
  const auto vip = parse_vip(item.text);
  if (!vip)
    return problems.add(item.line, "VIP \"" + item.text + "\" is not an address; allowed: " + kVipsAllowed);
  const auto objection = vip_objection(*vip);
  if (!objection.empty()) {
    problems.add(item.line, "VIP " + item.text + " " + objection);
  } else if (std::any_of(vips.begin(), vips.end(), [&](const Vip& v) { return v.address == vip->address; })) {
    problems.add(item.line, "VIP " + vip->address.text() + " is there twice; allowed: each VIP once");
  }
  vips.push_back(*vip);
}

void read_vips(ConfigSection& section, Config& config) {
  section.require("vips", kVipsAllowed);
  const auto* list = section.list("vips", kVipsAllowed);
  if (list == nullptr) return;
  if (list->items.empty()) section.complain("vips", std::string("is empty; allowed: ") + kVipsAllowed);
  if (list->items.size() > kMaxVips)
    return section.complain(
        "vips", "has " + std::to_string(list->items.size()) + " addresses; allowed: " + kVipsAllowed);
  for (const auto& item : list->items) read_one_vip(item, section.problems(), config.vips);
}

void read_cluster(ConfigSection& section, Config& config) {
  read_name(section, config);
  read_vips(section, config);
  config.mode = section
                    .choice<ClusterMode>("mode", {{"unicast", ClusterMode::unicast},
                                                  {"multicast", ClusterMode::multicast},
                                                  {"igmp", ClusterMode::igmp}})
                    .value_or(config.mode);
  config.mac_strategy = section
                            .choice<MacStrategy>("mac_strategy", {{"auto", MacStrategy::automatic},
                                                                  {"add", MacStrategy::add},
                                                                  {"replace", MacStrategy::replace}})
                            .value_or(config.mac_strategy);
  if (config.mode != ClusterMode::unicast && config.mac_strategy != MacStrategy::automatic)
    section.complain("mac_strategy",
                     "goes only with mode \"unicast\"; allowed here: \"auto\", or no mac_strategy");
  if (config.mode == ClusterMode::igmp && !config.vips.empty() && !config.vips.front().address.is_v4())
    section.complain("mode",
                     "is \"igmp\", whose group 239.255.y.z is made of an IPv4 address, but the first VIP is "
                     "IPv6; allowed: an IPv4 VIP first, or mode \"unicast\" or \"multicast\"");
  constexpr const char* kKeyAllowed = "the path of a key file (make one with \"nlb keygen FILE\")";
  section.require("key_file", kKeyAllowed);
  config.key_file = section.text("key_file", kKeyAllowed).value_or("");
  if (config.key_file.empty() && section.has("key_file") &&
      section.any("key_file")->kind == TomlNode::Kind::text)
    section.complain("key_file", std::string("is empty; allowed: ") + kKeyAllowed);
  config.max_hold_s = section.number("max_hold_s", 0, kMaxHoldS).value_or(config.max_hold_s);
  section.reject_unknown_keys();
}

void read_persist(ConfigSection& section, Config& config) {
  const std::string allowed = "a list of " + names_of<InitialState>(kStates);
  const auto* list = section.list("persist", allowed);
  if (list == nullptr) return;
  config.persist.clear();
  for (const auto& item : list->items) {
    const auto state = enum_named<InitialState>(item.kind == TomlNode::Kind::text ? item.text : "", kStates);
    if (!state) {
      section.problems().add(item.line, "persist holds " + item.describe() + "; allowed: " + allowed);
    } else if (std::find(config.persist.begin(), config.persist.end(), *state) != config.persist.end()) {
      section.problems().add(item.line,
                             "persist names \"" + item.text + "\" twice; allowed: each state once");
    } else {
      config.persist.push_back(*state);
    }
  }
}

void read_host(ConfigSection& section, Config& config) {
  section.require("id", "1..64, another on every host");
  config.id = static_cast<HostId>(section.number("id", 1, kMaxHosts).value_or(0));
  section.require("interface", kInterfaceAllowed);
  const auto interface = section.text("interface", kInterfaceAllowed);
  if (interface && *interface == "lo")
    section.complain("interface", "is \"lo\", which no client reaches; allowed: an Ethernet interface");
  else if (interface && !is_interface_name(*interface))
    section.complain("interface", "is \"" + *interface + "\"; allowed: " + kInterfaceAllowed);
  config.interface = interface.value_or("");
  config.initial_state =
      section.choice<InitialState>("initial_state", kStates).value_or(config.initial_state);
  read_persist(section, config);
  config.prove_path = section.flag("prove_path").value_or(config.prove_path);
  config.on_unproven =
      section.choice<OnUnproven>("on_unproven", {{"refuse", OnUnproven::refuse}, {"bind", OnUnproven::bind}})
          .value_or(config.on_unproven);
  config.datapath = section
                        .choice<DatapathKind>("datapath", {{"xdp-native", DatapathKind::xdp_native},
                                                           {"xdp-generic", DatapathKind::xdp_generic},
                                                           {"tc", DatapathKind::tc}})
                        .value_or(config.datapath);
  config.restart_hold_s =
      section.number("restart_hold_s", 0, kMaxRestartHoldS).value_or(config.restart_hold_s);
  config.conflict_detection_ms = section.number("conflict_detection_ms", 0, kMaxConflictDetectionMs)
                                     .value_or(config.conflict_detection_ms);
  section.reject_unknown_keys();
}

void read_heartbeat(ConfigSection& section, Config& config) {
  config.period_ms = section.number("period_ms", kMinPeriodMs, kMaxPeriodMs).value_or(config.period_ms);
  config.tolerance = section.number("tolerance", kMinTolerance, kMaxTolerance).value_or(config.tolerance);
  section.reject_unknown_keys();
}

constexpr std::size_t kMaxAccountName = 256;  // LOGIN_NAME_MAX

void read_names(ConfigSection& section, const char* key, std::vector<std::string>& names) {
  constexpr const char* allowed = "a list of users' names, or groups' with @ before them: [\"@operators\"]";
  const auto* list = section.list(key, allowed);
  if (list == nullptr) return;
  for (const auto& item : list->items) {
    const bool good = item.kind == TomlNode::Kind::text && !item.text.empty() && item.text != "@" &&
                      item.text.size() <= kMaxAccountName;
    if (good)
      names.push_back(item.text);
    else
      section.problems().add(item.line,
                             std::string(key) + " holds " + item.describe() + "; allowed: " + allowed);
  }
}

void read_control(ConfigSection& section, Config& config) {
  read_names(section, "operators", config.operators);
  read_names(section, "admins", config.admins);
  config.remote = section
                      .choice<RemoteControl>("remote", {{"none", RemoteControl::none},
                                                        {"query", RemoteControl::query},
                                                        {"operate", RemoteControl::operate},
                                                        {"admin", RemoteControl::admin}})
                      .value_or(config.remote);
  section.reject_unknown_keys();
}

using SectionReader = void (*)(ConfigSection&, Config&);

void read_metrics(ConfigSection& section, Config& config) {
  config.metrics_listen = read_metrics_listen(section);
  for (const Vip& vip : config.vips)
    if (config.metrics_listen && config.metrics_listen->address == vip.address)
      section.complain("listen",
                       "is at a VIP, where any host may answer; allowed: an address of this host alone");
}

// A missing section is reported at the file's end, where it would be added; an empty one stands in for an
// optional one.
void read_section(ConfigSection& root, const char* key, bool required, int last_line, SectionReader read,
                  Config& config) {
  const std::string title = std::string("[") + key + "]";
  const auto* node = root.any(key);
  if (node == nullptr) {
    if (required) root.problems().add(last_line, "section " + title + " is missing");
    return;
  }
  if (node->kind != TomlNode::Kind::table)
    return root.complain(key, "must be the section " + title + ", not " + node->describe());
  ConfigSection section(*node, title, root.problems());
  read(section, config);
}

std::string resolved(const std::string& key_file, const std::string& config_path) {
  if (key_file.empty() || key_file.front() == '/') return key_file;
  return (std::filesystem::path(config_path).parent_path() / key_file).string();
}

// Everything that the text alone decides. With problems, the result is what could be made out.
ParsedConfig judge(std::string_view text, const std::string& path, ProblemList& problems) {
  ParsedConfig result;
  Config& config = result.config;
  config.file = path;
  const auto document = parse_toml(text);
  if (!document) {
    problems.add(std::max(1, document.error().line), document.error().message);
    return result;
  }
  ConfigSection root(*document, "the file", problems);
  const auto breaks = std::count(text.begin(), text.end(), '\n');
  const int last_line = std::max(1, static_cast<int>(breaks) + (text.ends_with('\n') ? 0 : 1));
  read_section(root, "cluster", true, last_line, read_cluster, config);
  read_section(root, "host", true, last_line, read_host, config);
  read_section(root, "heartbeat", false, last_line, read_heartbeat, config);
  read_section(root, "control", false, last_line, read_control, config);
  read_section(root, "metrics", false, last_line, read_metrics, config);
  auto tables = read_rules(root.tables("port_rule", "[[port_rule]]"), config.vips, problems);
  root.reject_unknown_keys();
  config.health_checks = std::move(tables.health_checks);
  config.rules = std::move(tables.rules);
  if (config.rules.empty())
    config.rules.emplace_back();  // NLB's default rule: all VIPs, all ports, both, multiple
  config.key_file = resolved(config.key_file, path);
  if (!config.key_file.empty()) result.key_file_line = document->find("cluster")->find("key_file")->line;
  if (!config.vips.empty()) result.vips_line = document->find("cluster")->find("vips")->line;
  return result;
}

// What is wrong with the key file as a whole is mended here or there, so it is told with the line that names
// it; what is wrong in a line of it is returned.
std::vector<ConfigProblem> read_keys_into(Config& config, int key_file_line, SecretOwner key_of,
                                          ProblemList& problems) {
  auto keys = read_key_file(config.key_file, key_of);
  if (keys) {
    config.keys = std::move(*keys);
    return {};
  }
  std::vector<ConfigProblem> rest;
  for (const auto& problem : keys.error()) {
    if (problem.line == 0)
      problems.add(key_file_line, "key_file " + problem.file + ": " + problem.message);
    else
      rest.push_back(problem);
  }
  return rest;
}

}  // namespace

tl::expected<ParsedConfig, std::vector<ConfigProblem>> parse_config(std::string_view text,
                                                                    const std::string& path) {
  ProblemList problems(path);
  auto result = judge(text, path, problems);
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return result;
}

tl::expected<ParsedConfig, std::vector<ConfigProblem>> read_config_file(const std::string& path,
                                                                        SecretOwner key_of) {
  const auto text = read_config_text(path);
  if (!text) return tl::unexpected(std::vector<ConfigProblem>{{path, 0, text.error().message}});
  ProblemList problems(path);
  auto result = judge(*text, path, problems);
  std::vector<ConfigProblem> key_problems;
  if (!result.config.key_file.empty())
    key_problems = read_keys_into(result.config, result.key_file_line, key_of, problems);
  if (problems.empty() && key_problems.empty()) return result;
  auto all = problems.sorted();
  all.insert(all.end(), key_problems.begin(), key_problems.end());
  return tl::unexpected(all);
}

Config in_common_order(Config config) {
  std::vector<PortRule> rules;
  std::vector<std::size_t> place(config.rules.size());
  for (std::size_t index : wire::rule_order(config.rules)) {
    place[index] = rules.size();
    rules.push_back(config.rules[index]);
  }
  config.rules = std::move(rules);
  for (HealthCheck& check : config.health_checks) check.rule_index = place[check.rule_index];
  return config;
}

tl::expected<Config, std::vector<ConfigProblem>> read_config(const std::string& path) {
  auto parsed = read_config_file(path);
  if (!parsed) return tl::unexpected(parsed.error());
  return in_common_order(std::move(parsed->config));
}

}  // namespace nlb
