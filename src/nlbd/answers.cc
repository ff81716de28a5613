// SPDX-License-Identifier: Apache-2.0
// What the daemon answers about this host: query, display, params, history, counters, events and the commands
// that change its state. Shapes: docs/control.md. Whatever describes the adapter is read back from the kernel
// here.
#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>

#include "control/config_json.hh"
#include "core/service.hh"
#include "linux/group_membership.hh"
#include "nlbd/administration.hh"
#include "nlbd/answer.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;

const char* name_of(BindState state) {
  return kBindStateNames[static_cast<std::size_t>(state)];
}

}  // namespace

Json Daemon::common() const {
  return {{"schema", 1}, {"cluster", config_.name}, {"host", config_.id}};
}

Json Daemon::members_json(const core::Host& host, Nanos now) const {
  Json members = Json::array();
  for (HostId id = 1; id <= kMaxHosts; ++id) {
    if (!(host.view().members & bit_of(id)) || host.phase() == core::Phase::none) continue;
    const bool own = id == host.settings().id;
    const auto& peer = host.peers()[id];
    const auto state = own ? host.state() : peer.heartbeat.state;
    const auto& dedicated = own ? host.settings().dedicated_ip : peer.heartbeat.dedicated_ip;
    members.push_back({{"id", id},
                       {"name", administration_->name_of(id)},
                       {"state", core::name_of(state)},
                       {"default", host.default_host() == id},
                       {"dedicated_ip", dedicated.is_unspecified() ? "" : dedicated.text()},
                       {"last_heard_ms", own ? 0 : (now - peer.heard_at) / kMillisecond}});
    Json& member = members.back();
    member["unhealthy"] = unhealthy_rules_json(own ? host.settings().offers : peer.heartbeat.offers);
    const auto service = own ? host.settings().service : core::service_of(peer.heartbeat);
    member["in_service"] = service == core::Service::in;
  }
  return members;
}

Json Daemon::drain_json(const core::Host& host, Nanos now) const {
  uint64_t connections = 0;
  for (const uint32_t count : protocol_->last_scan().connections) connections += count;
  const Nanos end = host.drain_deadline();
  return {{"connections", connections},
          {"remaining_s", end == 0 ? -1 : std::max<Nanos>(0, end - now + kSecond - 1) / kSecond}};
}

Json Daemon::query() {
  Json answer = common();
  protocol_->inspect([&](const core::Host& host, Nanos now) {
    answer["state"] = core::name_of(host.state());
    answer["default"] = host.default_host() == config_.id;
    answer["view"] = host.view().number;
    answer["members"] = members_json(host, now);
    answer["kept"] = kept_json(host, now);
    if (host.state() == core::HostState::draining) answer["drain"] = drain_json(host, now);
  });
  answer["convergence_count"] = history_.count();
  answer["known"] = administration_->known();
  answer["health"] = health_json();
  return answer;
}

Json Daemon::adapter_json() {
  const auto facts = read_adapter(config_.interface);
  const auto macs = cluster_macs(config_.vips.front().address);
  const auto plan = bind_plan_of(config_);
  Json adapter = {{"interface", config_.interface}, {"bind", name_of(bind_)}};
  adapter["datapath"] = name_of(datapath_->attached_kind());
  if (datapath_->yields_xdp())
    adapter["datapath_note"] = "another XDP program is attached";
  else if (config_.datapath != DatapathKind::xdp_native)
    adapter["datapath_note"] = std::string("at most ") + name_of(config_.datapath) + ", as configured";
  adapter["mac_strategy"] = name_of(plan.strategy);
  adapter["mac_cluster"] = plan.cluster_mac.text();
  adapter["mac_masked"] = plan.masked_mac.text();
  adapter["mac_expected"] = (replace_ && bind_ == BindState::bound ? macs.unicast : own_mac_).text();
  const BindOutcome trouble = bind_trouble();
  adapter["reason"] = name_of(trouble.reason);
  adapter["evidence"] = trouble.evidence;
  adapter["remedy"] = remedy_of(trouble.reason);
  adapter["switch"] = switch_json();
  if (!facts) {
    adapter["evidence"] = facts.error().message;
    return adapter;
  }
  const bool in_filter = std::find(facts->extra_macs.begin(), facts->extra_macs.end(), plan.cluster_mac) !=
                         facts->extra_macs.end();
  const bool in_groups = config_.mode != ClusterMode::unicast &&
                         has_joined_group(config_.interface, plan.cluster_mac).value_or(false);
  adapter["driver"] = facts->driver;
  adapter["mac_permanent"] = (facts->mac_permanent.is_zero() ? own_mac_ : facts->mac_permanent).text();
  adapter["mac_current"] = facts->mac_current.text();
  adapter["cluster_mac_in"] = facts->mac_current == plan.cluster_mac ? "address"
                              : in_filter || in_groups               ? "receive-filter"
                                                                     : "none";
  return adapter;
}

Json Daemon::display() {
  Json answer = query();
  answer["adapter"] = adapter_json();
  answer["version"] = NLB_VERSION;
  answer["uptime_s"] = (boottime_now() - started_at_) / kSecond;
  answer["file"] = paths_.config;
  protocol_->inspect([&](const core::Host& host, Nanos) { answer["reason_text"] = host.refused_because(); });
  const auto facts = read_adapter(config_.interface);
  answer["vips"] = Json::array();
  for (const Vip& vip : config_.vips) {
    bool present = false;
    if (facts)
      for (const auto& address : facts->addresses) present = present || address.address == vip.address;
    answer["vips"].push_back({{"address", vip.address.text()}, {"present", present}});
  }
  answer["port_rules"] = Json::array();
  for (std::size_t slot = 0; slot < config_.rules.size(); ++slot) {
    Json rule = to_json(config_.rules[slot], slot);
    rule["state"] = state_of_rule(slot);
    answer["port_rules"].push_back(rule);
  }
  answer["events"] = events_.since("", 0, false, 5)["events"];
  return answer;
}

Json Daemon::params() {
  Json answer = common();
  answer["file"] = paths_.config;
  const auto plan = bind_plan_of(config_);
  Json in_force = to_json(config_);
  in_force["mac_cluster"] = plan.cluster_mac.text();
  in_force["mac_masked"] = plan.masked_mac.text();
  in_force["datapath"] = name_of(datapath_->attached_kind());
  in_force["key_count"] = config_.keys.keys.size();
  in_force["generation"] = generation_;
  answer["in_force"] = in_force;
  const auto file = read_config(paths_.config);
  answer["configured"] = to_json(file ? *file : config_);
  answer["pending"] = Json::array();
  for (const auto& [section, keys] : answer["configured"].items()) {
    if (!keys.is_object()) {
      if (keys != in_force[section]) answer["pending"].push_back(section);
      continue;
    }
    for (const auto& [key, value] : keys.items())
      if (value != in_force[section][key]) answer["pending"].push_back(section + "." + key);
  }
  return answer;
}

Json Daemon::history() {
  Json answer = common();
  answer["history"] = Json::array();
  for (const Convergence& entry : history_.entries()) {
    Json members = Json::array();
    for_each_host(entry.members, [&](HostId id) { members.push_back(id); });
    answer["history"].push_back({{"time_ms", entry.time_ms},
                                 {"view", entry.view},
                                 {"members", members},
                                 {"cause", entry.causes.front()},
                                 {"causes", entry.causes},
                                 {"duration_ms", entry.duration_ms}});
  }
  return answer;
}

Json Daemon::counters() {
  Json answer = common();
  answer["counters"] = Json::array();
  for (const Counter& counter : datapath_->counters())
    answer["counters"].push_back({{"name", counter.name},
                                  {"packets", counter.packets},
                                  {"bytes", counter.bytes},
                                  {"expected", counter.expected}});
  const auto protocol = protocol_->counters();
  Json refused = Json::object();
  for (std::size_t i = 0; i < wire::kRefusalCount; ++i)
    refused[std::string(wire::name_of(static_cast<wire::Refusal>(i)))] = protocol.refused[i];
  answer["at_ms"] = boottime_now() / kMillisecond;
  if (auto tcp = tcp_json(); tcp.is_object()) answer["tcp"] = std::move(tcp);
  answer["heartbeat"] = {{"sent", protocol.sent}, {"received", protocol.received}, {"refused", refused}};
  return answer;
}

Json Daemon::host_command(const std::string& command, const Json& request) {
  const core::HostEvent event = command == "start"     ? core::HostEvent::start
                                : command == "stop"    ? core::HostEvent::stop
                                : command == "suspend" ? core::HostEvent::suspend
                                : command == "resume"  ? core::HostEvent::resume
                                                       : core::HostEvent::drainstop;
  core::HostState before = core::HostState::stopped;
  bool meaningful = false;
  protocol_->inspect([&](const core::Host& host, Nanos) {
    before = host.state();
    meaningful = host.command_means_something(event);
  });
  // Another time limit for a drain that is under way.
  const bool drains = before == core::HostState::draining;
  if (event == core::HostEvent::drainstop && drains && request.contains("timeout_s")) meaningful = true;
  if (event == core::HostEvent::start && bind_ == BindState::refused) begin_bind();
  constexpr int64_t kLongestDrainS = 366 * 86400;
  const auto timeout_s = std::clamp(request.value("timeout_s", int64_t{0}), int64_t{0}, kLongestDrainS);
  if (meaningful) apply_command(event, timeout_s * kSecond);
  if (event == core::HostEvent::drainstop && meaningful)
    events_.add(EventId::drain_started, "this host takes no new connections");
  Json answer = common();
  protocol_->inspect([&](const core::Host& host, Nanos) { answer["state"] = core::name_of(host.state()); });
  answer["changed"] = meaningful;
  const bool interrupts = meaningful && drains && event != core::HostEvent::drainstop;
  if (interrupts) answer["interrupted"] = "drainstop";
  answer["message"] = meaningful ? "Cluster operations: " + command + "." +
                                       (interrupts ? " Connection draining was interrupted." : "")
                                 : "This host is " + std::string(core::name_of(before)) + ": nothing to do.";
  return answer;
}

Json Daemon::reload_command() {
  const Json before = to_json(config_);
  mutex_.unlock();  // reload() takes it for as long as it needs it
  const auto done = reload();
  mutex_.lock();
  if (!done) return failure(done.error().message, done.error().code);
  Json answer = common();
  answer["changed"] = Json::array();
  const Json after = to_json(config_);
  for (const auto& [section, keys] : after.items()) {
    if (!keys.is_object()) {
      if (keys != before[section]) answer["changed"].push_back(section);
      continue;
    }
    for (const auto& [key, value] : keys.items())
      if (value != before[section][key]) answer["changed"].push_back(section + "." + key);
  }
  answer["message"] = "Configuration reloaded from " + paths_.config + ".";
  return answer;
}

Json Daemon::answer(const Json& request, const Peer& peer) {
  const std::string command = request.value("command", "");
  const Role wanted = role_for(command);
  if (!peer.may(wanted)) return failure(refusal_of(command, wanted, peer), 4);
  const bool asks = command == "change" && request.value("check", false);
  if (wanted != Role::read && !asks) events_.add(EventId::commanded, "`" + command + "` by " + peer.text());
  if (Administration::waits(request)) return administration_->answer(request, peer);
  Json answer = answer_here(request);
  if (command == "version") answer["role"] = name_of(peer.role);
  return answer;
}

// As in NLB: "suspended" overrides whatever other administrators may order.
Json Daemon::answer_here(const Json& request) {
  const std::string command = request.value("command", "");
  const std::lock_guard lock(mutex_);
  core::HostState state = core::HostState::stopped;
  protocol_->inspect([&](const core::Host& host, Nanos) { state = host.state(); });
  const bool allowed = role_for(command) != Role::operate || command == "resume" || command == "suspend";
  if (state == core::HostState::suspended && !allowed)
    return failure("host " + std::to_string(config_.id) + " is suspended: resume it first", 1);
  return dispatch(command, request);
}

Json Daemon::dispatch(const std::string& command, const Json& request) {
  const auto is = [&](std::initializer_list<const char*> names) {
    return std::find(names.begin(), names.end(), command) != names.end();
  };
  if (command == "query") return query();
  if (command == "display") return display();
  if (command == "params") return params();
  if (command == "history") return history();
  if (command == "counters") return counters();
  if (command == "connections") return connections();
  if (command == "buckets") return buckets(request);
  if (command == "doctor") {
    if (!examination_)
      examination_ = std::make_unique<Examination>(paths_.runtime_directory + "/control.sock", paths_.config);
    Json answer = common();
    answer.update(examination_->look());
    return answer;
  }
  if (command == "queryport") return queryport(request);
  if (command == "filter") return filter(request);
  if (command == "reload") return reload_command();
  if (is({"start", "stop", "drainstop", "suspend", "resume"})) return host_command(command, request);
  if (is({"enable", "disable", "drain"})) return rule_command(command, request);
  if (command == "events") {
    Json answer = common();
    const auto limit = std::clamp<uint64_t>(request.value("limit", uint64_t{100}), 1, 1000);
    answer.update(events_.since(request.value("log", ""), request.value("after", uint64_t{0}),
                                request.contains("after"), limit));
    return answer;
  }
  if (command == "key-status") {
    Json answer = common();
    answer["key_file"] = config_.key_file;
    answer["fingerprints"] = Json::array();
    for (const auto& key : config_.keys.keys) answer["fingerprints"].push_back(key_fingerprint(key));
    return answer;
  }
  if (command == "version") {
    Json answer = common();
    answer["version"] = NLB_VERSION;
    answer["uptime_s"] = (boottime_now() - started_at_) / kSecond;
    return answer;
  }
  return failure("unknown command \"" + command + "\"", 2);
}

}  // namespace nlb
