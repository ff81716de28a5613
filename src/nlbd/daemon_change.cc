// SPDX-License-Identifier: Apache-2.0
// What changes while the daemon runs and has to outlive it: rules that an administrator has switched, the
// generation of the configuration; and how new rules come into force under a running filter.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "control/change_effect.hh"
#include "control/config_file.hh"
#include "control/config_json.hh"
#include "control/durable_file.hh"
#include "linux/adapter.hh"
#include "nlbd/administration.hh"
#include "nlbd/daemon.hh"
#include "nlbd/local_config.hh"
#include "wire/codec.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;

bool same_traffic(const PortRule& a, const PortRule& b) {
  return a.vip == b.vip && a.first_port == b.first_port && a.last_port == b.last_port &&
         a.protocol == b.protocol;
}

}  // namespace

Config Daemon::config() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

uint32_t Daemon::newest_generation() {
  uint32_t newest = generation_;
  protocol_->inspect([&](const core::Host& host, Nanos now) {
    for (HostId id = 1; id <= kMaxHosts; ++id)
      if (host.hears(id, now)) newest = std::max(newest, host.peers()[id].heartbeat.digests.generation);
  });
  return newest;
}

void Daemon::set_generation(uint32_t generation) {
  const std::lock_guard lock(mutex_);
  generation_ = generation;
  write_state_file("generation", std::to_string(generation));
}

void Daemon::expect_change(bool expected) {
  protocol_->call([&](core::Host& host, Nanos now) { return host.expect_change(expected, now); });
}

void Daemon::change_failed(const std::string& why) {
  events_.add(EventId::change_failed, why);
}

// What a reload of this file would refuse.
Result<Config> Daemon::judge_file(const std::string& path) const {
  auto fresh = read_local_config(path);
  if (!fresh) return fail(fresh.error().front().message, 2);
  const std::lock_guard lock(mutex_);
  if (auto possible = possible_at_run_time(*fresh); !possible) return tl::unexpected(possible.error());
  return std::move(*fresh);
}

Result<ChangeEffect> Daemon::foresee(const std::string& text) const {
  auto parsed = parse_config(text, paths_.config);
  if (!parsed) return fail(parsed.error().front().message, 2);
  const std::lock_guard lock(mutex_);
  Config fresh = in_common_order(std::move(parsed->config));
  fresh.keys = config_.keys;
  if (auto possible = possible_at_run_time(fresh); !possible) return tl::unexpected(possible.error());
  return change_effect(config_, fresh);
}

Result<void> Daemon::possible_at_run_time(const Config& fresh) const {
  if (fresh.name != config_.name || fresh.id != config_.id || fresh.interface != config_.interface)
    return fail("name, host id and interface do not change at run time: restart nlbd", 1);
  if (fresh.mode != config_.mode || !(fresh.vips.front().address == config_.vips.front().address))
    return fail("mode and primary VIP give the cluster MAC and do not change at run time: restart nlbd", 1);
  if (const auto problems = preflight(fresh); !problems.empty()) return fail(problems.front(), 2);
  return {};
}

// Nothing of the adapter changes: filter and core take the new rules without a new bind. Between the two,
// this host owns nothing, so that no bucket is ever judged by another rule than it was acquired for.
void Daemon::use_new_rules(const std::vector<PortRule>& before) {
  protocol_->call([](core::Host& host, Nanos now) { return host.set_aside(now); });
  keep_switches(before);
  sync_filter();
  protocol_->call([&](core::Host& host, Nanos now) { return host.reconfigure(settings_of(config_), now); });
}

// What an administrator has switched stays so, wherever its rule stands in the new order.
void Daemon::keep_switches(const std::vector<PortRule>& before) {
  const auto former = switches_;
  switches_.fill(RuleSwitch::enabled);
  for (std::size_t now = 0; now < config_.rules.size(); ++now)
    for (std::size_t then = 0; then < before.size(); ++then)
      if (same_traffic(config_.rules[now], before[then])) switches_[now] = former[then];
}

void Daemon::save_switches() const {
  Json switched = Json::array();
  for (std::size_t slot = 0; slot < config_.rules.size(); ++slot) {
    if (switches_[slot] == RuleSwitch::enabled) continue;
    Json rule = to_json(config_.rules[slot], slot);
    switched.push_back({{"vip", rule["vip"]},
                        {"ports", rule["ports"]},
                        {"protocol", rule["protocol"]},
                        {"state", switch_name(slot)}});
  }
  const auto saved =
      write_durably(paths_.state_directory + "/rules.json", Json{{"rules", switched}}.dump() + "\n");
  if (!saved) events_.add(EventId::state_not_saved, saved.error().message);
}

void Daemon::load_switches() {
  std::ifstream stream(paths_.state_directory + "/rules.json");
  const Json json = Json::parse(stream, nullptr, false);
  if (!json.is_object() || !json.contains("rules") || !json["rules"].is_array()) return;
  for (const Json& entry : json["rules"]) {
    if (!entry.is_object()) continue;
    for (std::size_t slot = 0; slot < config_.rules.size(); ++slot) {
      const Json rule = to_json(config_.rules[slot], slot);
      const auto same = [&](const char* key) { return rule[key] == entry.value(key, Json()); };
      if (!same("vip") || !same("ports") || !same("protocol")) continue;
      const Json state = entry.value("state", Json());
      if (state == "disabled") switches_[slot] = RuleSwitch::disabled;
      if (state == "draining") switches_[slot] = RuleSwitch::draining;
    }
  }
}

}  // namespace nlb
