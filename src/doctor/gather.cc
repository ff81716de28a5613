// SPDX-License-Identifier: Apache-2.0
#include "doctor/gather.hh"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "control/config_file.hh"
#include "control/control.hh"
#include "linux/group_membership.hh"
#include "linux/host_facts.hh"
#include "linux/policy_listener.hh"
#include "linux/sysctl.hh"

namespace nlb::doctor {
namespace {

using Json = nlohmann::json;
constexpr int kAnswerTimeoutMs = 2000;
constexpr Nanos kListenForSwitch = 1500 * kMillisecond;  // it speaks once a second

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Told since the hosts last agreed: what came before is settled.
std::vector<std::string> differences_in(const Json& events) {
  std::vector<std::string> texts;
  for (const Json& event : events) {
    const std::string name = text(event, "name");
    if (name == "converged" || name == "started") texts.clear();
    if (name == "config_mismatch" || name == "duplicate_host_id")
      if (const auto what = text(event, "text"); std::find(texts.begin(), texts.end(), what) == texts.end())
        texts.push_back(what);
  }
  return texts;
}

void read_refusals(const Json& counters, DaemonFacts& daemon) {
  const Json refused = counters.value("/heartbeat/refused"_json_pointer, Json::object());
  for (const auto& [reason, count] : refused.items())
    if (count.is_number_unsigned() && reason != "stale_incarnation" && reason != "own_frame")
      daemon.refused[reason] = count.get<uint64_t>();
}

void ask_daemon(const Request& request, Facts& facts, std::string& config_path) {
  facts.daemon_trouble = request.socket_trouble;
  if (request.socket.empty()) return;
  const auto display = ask(request.socket, {{"command", "display"}}, kAnswerTimeoutMs);
  if (!display) {
    facts.daemon_trouble = display.error().message;
    return;
  }
  DaemonFacts daemon;
  daemon.state = text(*display, "state");
  daemon.reason_text = text(*display, "reason_text");
  const Json adapter = display->value("adapter", Json::object());
  daemon.strategy = text(adapter, "mac_strategy");
  daemon.bind = text(adapter, "bind");
  daemon.bind_reason = text(adapter, "reason");
  daemon.evidence = text(adapter, "evidence");
  daemon.remedy = text(adapter, "remedy");
  daemon.mac_expected = text(adapter, "mac_expected");
  daemon.members = static_cast<unsigned>(display->value("members", Json::array()).size());
  if (config_path.empty()) config_path = text(*display, "file");
  if (const auto events = ask(request.socket, {{"command", "events"}}, kAnswerTimeoutMs))
    daemon.differences = differences_in(events->value("events", Json::array()));
  if (const auto counters = ask(request.socket, {{"command", "counters"}}, kAnswerTimeoutMs))
    read_refusals(*counters, daemon);
  facts.daemon = std::move(daemon);
}

std::string only_configuration(std::string& trouble) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/etc/opennlb", error))
    if (entry.path().extension() == ".toml" && entry.path().filename() != "vmswitch.toml")
      files.push_back(entry.path().string());
  if (files.size() == 1) return files.front();
  trouble = files.empty() ? "no configuration in /etc/opennlb" : "several configurations in /etc/opennlb";
  return "";
}

void read_configuration(Facts& facts) {
  std::ostringstream content;
  std::ifstream file(facts.config_path);
  if (!file) {
    facts.config_problems = {facts.config_path + ": cannot be read"};
    return;
  }
  content << file.rdbuf();
  auto parsed = parse_config(content.str(), facts.config_path);
  if (!parsed) {
    for (const ConfigProblem& problem : parsed.error()) facts.config_problems.push_back(problem.text());
    return;
  }
  facts.config = std::move(parsed->config);
  if (auto keys = read_key_file(facts.config->key_file, SecretOwner::any_to_root); !keys)
    for (const ConfigProblem& problem : keys.error()) facts.key_problems.push_back(problem.text());
  else
    wipe(*keys);
}

void read_sysctls(const std::string& interface, InterfaceFacts& facts) {
  const std::string own = "net/ipv4/conf/" + interface + "/";
  const std::pair<const char*, std::string> wanted[] = {
      {"rp_filter", own + "rp_filter"},   {"all.rp_filter", "net/ipv4/conf/all/rp_filter"},
      {"arp_ignore", own + "arp_ignore"}, {"arp_announce", own + "arp_announce"},
      {"arp_notify", own + "arp_notify"}, {"ip_forward", own + "forwarding"}};
  for (const auto& [name, path] : wanted)
    if (auto value = sysctl::read(path)) facts.sysctls[name] = *value;
}

std::optional<uint64_t> conflicts_counted(const std::string& socket) {
  if (socket.empty()) return std::nullopt;
  const auto answer = ask(socket, {{"command", "counters"}}, kAnswerTimeoutMs);
  if (!answer) return std::nullopt;
  for (const Json& counter : answer->value("counters", Json::array()))
    if (text(counter, "name") == "vip_conflict") return counter.value("packets", uint64_t{0});
  return std::nullopt;
}

// With the cluster MAC as its address a host asks from its masked one: the cluster MAC is never a source.
void ask_around(const Config& config, const std::string& socket, InterfaceFacts& facts) {
  std::vector<IpAddress> targets;
  for (const Vip& vip : config.vips) targets.push_back(vip.address);
  if (facts.adapter.gateway) targets.push_back(*facts.adapter.gateway);
  const IpAddress& primary = config.vips.front().address;
  const MacAddress cluster = cluster_macs(primary).unicast;
  const bool replaced = facts.adapter.mac_current == cluster;
  const auto before = conflicts_counted(socket);
  auto answers =
      ask_neighbours(config.interface, replaced ? masked_mac(primary, config.id) : facts.adapter.mac_current,
                     cluster, targets);
  if (answers)
    facts.answers = std::move(*answers);
  else
    facts.arp_trouble = answers.error().message;
  if (const auto after = conflicts_counted(socket); before && after)
    facts.conflicts_counted = *after - std::min(*before, *after);
}

// Opened before everything else that waits, and read after it.
class SwitchEar {
 public:
  explicit SwitchEar(const std::string& interface)
      : until_(boottime_now() + kListenForSwitch), listener_(PolicyListener::open(interface)) {}
  void read(InterfaceFacts& facts) {
    if (!listener_) {
      facts.switch_trouble = listener_.error().message;
      return;
    }
    wait_for_policy(**listener_, until_);
    if (auto heard = (*listener_)->fresh(boottime_now())) facts.switch_policy = std::move(heard->policy);
  }

 private:
  Nanos until_;
  Result<std::unique_ptr<PolicyListener>> listener_;
};

void read_interface(const std::string& socket, Facts& facts) {
  const Config& config = *facts.config;
  auto adapter = read_adapter(config.interface);
  if (!adapter) {
    facts.interface_trouble = adapter.error().message;
    return;
  }
  SwitchEar ear(config.interface);
  InterfaceFacts found;
  found.adapter = std::move(*adapter);
  found.hooks = read_hooks(config.interface, found.adapter.index);
  found.platform = identify_platform("/", config.interface, found.adapter.driver);
  found.managers = read_managers("/", config.interface, found.adapter.index, network_place());
  std::optional<IpAddress> carried_for;
  if (config.mode != ClusterMode::unicast) carried_for = config.vips.front().address;
  if (auto firewall = read_firewall(config.interface, carried_for))
    found.firewall = std::move(*firewall);
  else
    found.firewall_trouble = firewall.error().message;
  found.promiscuous = is_promiscuous(config.interface);
  found.leased_address = has_leased_address(found.adapter.index);
  const auto macs = cluster_macs(config.vips.front().address);
  found.in_group =
      config.mode != ClusterMode::unicast &&
      has_joined_group(config.interface, config.mode == ClusterMode::igmp ? macs.igmp : macs.multicast)
          .value_or(false);
  read_sysctls(config.interface, found);
  ask_around(config, socket, found);
  ear.read(found);
  facts.interface = std::move(found);
}

}  // namespace

Facts gather(const Request& request) {
  Facts facts;
  facts.system.missing_capabilities = missing_capabilities();
  facts.system.kernel = probe_kernel_features();
  facts.system.realtime_trouble = try_realtime();
  facts.system.clock_source = clock_source();
  facts.config_path = request.config_path;
  ask_daemon(request, facts, facts.config_path);
  if (facts.config_path.empty()) facts.config_path = request.usual_path;
  if (facts.config_path.empty()) facts.config_path = only_configuration(facts.config_trouble);
  if (!facts.config_path.empty()) read_configuration(facts);
  if (facts.config) read_interface(facts.daemon ? request.socket : "", facts);
  facts.sockets = read_socket_tables();
  return facts;
}

}  // namespace nlb::doctor
