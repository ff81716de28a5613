// SPDX-License-Identifier: Apache-2.0
// What a scrape of this host is made of. Filter, lease, sockets and adapter are read from the kernel for it;
// what only the core knows is asked of the protocol thread in one short visit.
#include <nlb/abi/verdict.h>

#include <algorithm>

#include "control/config_json.hh"
#include "core/service.hh"
#include "linux/clock.hh"
#include "nlbd/administration.hh"
#include "nlbd/daemon.hh"
#include "nlbd/event_metrics.hh"

namespace nlb {
namespace {

constexpr std::array kStates = {core::HostState::stopped,    core::HostState::suspended,
                                core::HostState::converging, core::HostState::converged,
                                core::HostState::draining,   core::HostState::refused};

double seconds(Nanos time) {
  return static_cast<double>(time) / static_cast<double>(kSecond);
}

// By verdict, as the counters are.
const char* action_of(std::size_t verdict) {
  constexpr nlb_action actions[] = {
#define NLB_VERDICT_ACTION(name, action, expected, text) NLB_ACTION_##action,
      NLB_VERDICTS(NLB_VERDICT_ACTION)
#undef NLB_VERDICT_ACTION
  };
  switch (actions[verdict]) {
    case NLB_ACTION_PASS:
    case NLB_ACTION_HOST:
      return "passed";
    case NLB_ACTION_ACCEPT:
      return "accepted";
    case NLB_ACTION_ASK:
      return "asked";
    case NLB_ACTION_ANSWER:
      return "answered";
    case NLB_ACTION_DROP:
    case NLB_ACTION_DROP_LATE:
      break;
  }
  return "dropped";
}

std::size_t owned_in(const SlotStates& states) {
  return static_cast<std::size_t>(std::count_if(states.begin(), states.end(), [](BucketState state) {
    return state == BucketState::owned || state == BucketState::owned_checked;
  }));
}

}  // namespace

// An address that is taken, or not there yet, is no reason to serve nobody: it is said once and tried again.
void Daemon::follow_metrics() {
  const auto listen = config().metrics_listen;
  const auto done = metrics_.follow(listen);
  const std::string trouble = done ? "" : done.error().message;
  if (!trouble.empty() && metrics_trouble_.empty()) events_.add(EventId::metrics_not_served, trouble);
  metrics_trouble_ = trouble;
}

std::string Daemon::metrics_text() {
  auto live = datapath_->live_connections();  // without the lock: the socket table may be large
  if (live) live->add(protocol_->translated_connections());
  const std::lock_guard lock(mutex_);
  Exposition metrics({{"cluster", config_.name}, {"host", std::to_string(config_.id)}});
  metrics.add(Metric::build_info, 1, {"nlbd", NLB_VERSION});
  const Nanos began_ms = unix_ms() - (boottime_now() - started_at_) / kMillisecond;
  metrics.add(Metric::start_time, static_cast<double>(began_ms) / 1000);
  add_events(metrics, events_.counts(), MetricProgram::host);
  add_host_metrics(metrics);
  add_adapter_metrics(metrics);
  add_rule_metrics(metrics);
  if (live)
    for (std::size_t slot = 0; slot < config_.rules.size(); ++slot)
      metrics.add(Metric::rule_connections, live->connections[slot], {rule_text(config_, slot)});
  add_heartbeat_metrics(metrics);
  add_health_metrics(metrics);
  metrics.add(Metric::convergence, history_.durations());
  return metrics.text();
}

void Daemon::add_host_metrics(Exposition& metrics) {
  std::array<const char*, kStates.size()> names{};
  std::transform(kStates.begin(), kStates.end(), names.begin(),
                 [](core::HostState state) { return core::name_of(state).data(); });
  metrics.add_states(Metric::bind_state, kBindStateNames, kBindStateNames[static_cast<std::size_t>(bind_)]);
  metrics.add(Metric::realtime, protocol_->not_realtime_because().empty() ? 1 : 0);
  protocol_->inspect([&](const core::Host& host, Nanos now) {
    metrics.add_states(Metric::host_state, names, core::name_of(host.state()));
    metrics.add(Metric::host_default, host.default_host() == config_.id ? 1 : 0);
    metrics.add(Metric::view_number, host.view().number);
    const HostSet members = host.phase() == core::Phase::none ? 0 : host.view().members;
    std::map<core::HostState, int> in_state;
    for_each_host(members, [&](HostId id) {
      const bool own = id == config_.id;
      const auto& peer = host.peers()[id];
      ++in_state[own ? host.state() : peer.heartbeat.state];
      const auto service = own ? host.settings().service : core::service_of(peer.heartbeat);
      const auto member = std::to_string(id);
      metrics.add(Metric::member_silence, own ? 0 : seconds(now - peer.heard_at), {member});
      metrics.add(Metric::member_in_service, service == core::Service::in ? 1 : 0, {member});
    });
    for (const auto state : kStates)
      metrics.add(Metric::members, in_state[state], {std::string(core::name_of(state))});
  });
}

void Daemon::add_adapter_metrics(Exposition& metrics) const {
  const auto facts = read_adapter(config_.interface);
  const auto has = [&](const IpAddress& vip) {
    return facts && std::any_of(facts->addresses.begin(), facts->addresses.end(),
                                [&](const InterfaceAddress& one) { return one.address == vip; });
  };
  for (const Vip& vip : config_.vips)
    metrics.add(Metric::vip_present, has(vip.address) ? 1 : 0, {vip.address.text()});
  metrics.add(Metric::carrier, facts && facts->carrier ? 1 : 0, {config_.interface});
  metrics.add(Metric::datapath, 1,
              {config_.interface, facts ? facts->driver : "", name_of(datapath_->attached_kind())});
}

void Daemon::add_rule_metrics(Exposition& metrics) {
  std::vector<std::size_t> held(kMaxSlots), kept(kMaxSlots);
  std::vector<std::size_t> slots;
  protocol_->inspect([&](const core::Host& host, Nanos) {
    slots = host.ownership().slots();
    for (const std::size_t slot : slots) held[slot] = host.ownership().held()[slot].count();
    for (const auto& one : host.keeper().summary()) kept[one.slot] = one.buckets;
  });
  for (const std::size_t slot : slots) {
    const auto rule = rule_text(config_, slot);
    const auto owned = static_cast<double>(owned_in(datapath_->buckets(slot)));
    metrics.add(Metric::rule_share, owned / static_cast<double>(kBucketCount), {rule});
    metrics.add(Metric::rule_buckets, owned, {rule, "owned"});
    metrics.add(Metric::rule_buckets, static_cast<double>(held[slot]), {rule, "held"});
    metrics.add(Metric::rule_buckets, static_cast<double>(kept[slot]), {rule, "kept"});
    if (slot < config_.rules.size())
      metrics.add_states(Metric::rule_state, kRuleStateNames, state_of_rule(slot), {rule});
  }
}

void Daemon::add_heartbeat_metrics(Exposition& metrics) const {
  const auto verdicts = datapath_->counters();
  for (std::size_t verdict = 0; verdict < verdicts.size(); ++verdict) {
    const Counter& counter = verdicts[verdict];
    const std::vector<std::string> labels = {counter.name, action_of(verdict),
                                             counter.expected ? "yes" : "no"};
    metrics.add(Metric::filter_packets, static_cast<double>(counter.packets), labels);
    metrics.add(Metric::filter_bytes, static_cast<double>(counter.bytes), labels);
  }
  const Nanos lease = datapath_->lease();
  metrics.add(Metric::lease, seconds(std::max<Nanos>(0, lease - boottime_now())));
  const auto protocol = protocol_->counters();
  metrics.add(Metric::heartbeats_sent, static_cast<double>(protocol.sent));
  metrics.add(Metric::heartbeats_received, static_cast<double>(protocol.received));
  for (std::size_t i = 0; i < wire::kRefusalCount; ++i)
    metrics.add(Metric::heartbeats_refused, static_cast<double>(protocol.refused[i]),
                {std::string(wire::name_of(static_cast<wire::Refusal>(i)))});
  metrics.add(Metric::heartbeat_period, config_.period_ms / 1000.0);
  metrics.add(Metric::detection, config_.period_ms * config_.tolerance / 1000.0);
}

// Checks are numbered within their rule: two may ask the same target for different things.
void Daemon::add_health_metrics(Exposition& metrics) const {
  std::map<std::string, int> number;
  for (const CheckStatus& status : health_->statuses()) {
    const std::vector<std::string> labels = {status.rule, std::to_string(++number[status.rule]),
                                             name_of(status.check.type), status.check.target};
    metrics.add(Metric::check_healthy, status.healthy ? 1 : 0, labels);
    if (status.last_at != 0) metrics.add(Metric::check_duration, seconds(status.last_took), labels);
  }
}

}  // namespace nlb
