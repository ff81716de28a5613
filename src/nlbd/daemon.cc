// SPDX-License-Identifier: Apache-2.0
// Start order: filter attached and closed, guard in force, protocol running (lease 0), adapter bound, filter
// opened, then the host takes part. Whatever fails is undone and named; a refused host answers questions and
// tries again by itself.
#include "nlbd/daemon.hh"

#include <net/if.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/config_values.hh"
#include "control/durable_file.hh"
#include "datapath/pins.hh"
#include "linux/clock.hh"
#include "linux/neighbour.hh"
#include "linux/realtime.hh"
#include "nlbd/administration.hh"
#include "nlbd/incarnation.hh"
#include "nlbd/local_config.hh"
#include "nlbd/resume_file.hh"
#include "wire/codec.hh"

namespace nlb {
namespace {

constexpr Nanos kKeyGrace = 60 * kSecond;

std::vector<IpAddress> addresses_of(const Config& config) {
  std::vector<IpAddress> addresses;
  for (const Vip& vip : config.vips) addresses.push_back(vip.address);
  return addresses;
}

}  // namespace

Daemon::Daemon(DaemonPaths paths, Config config)
    : paths_(std::move(paths)), config_(std::move(config)), metrics_([this] { return metrics_text(); }) {
  started_at_ = boottime_now();
  signing_fingerprint_ = read_state_file("signing-key");
  generation_ = parse_number(read_state_file("generation"), UINT32_MAX).value_or(0);
  load_switches();
  administration_ = std::make_unique<Administration>(*this);
  health_ = std::make_unique<HealthMonitor>([this] { on_health(); });
  health_->configure(config_);
}
Daemon::~Daemon() {
  health_->stop();
  administration_->stop();
}

core::Settings Daemon::settings_of(const Config& config) const {
  core::Settings settings;
  settings.id = config.id;
  settings.incarnation = new_incarnation();
  settings.period_ms = config.period_ms;
  settings.tolerance = config.tolerance;
  settings.mode = config.mode;
  settings.digests = wire::digests_of(config, generation_);
  settings.rules = config.rules;
  const auto offered = offers_now();
  settings.offers = offered.offers;
  settings.service = offered.service;
  settings.dedicated_ip = dedicated_ip_;
  settings.adapter_mac = replace_ ? masked_mac(config.vips.front().address, config.id) : own_mac_;
  settings.gateway = gateway_to_ask();
  settings.restart_hold_s = static_cast<uint16_t>(config.restart_hold_s);
  settings.max_hold_s = config.max_hold_s;
  return settings;
}

core::HealthOffers Daemon::offers_now() const {
  auto offers = wire::offers_of(config_);
  for (std::size_t slot = 0; slot < config_.rules.size(); ++slot) {
    if (switches_[slot] == RuleSwitch::draining) offers[slot] = wire::kOfferDrained;
    if (switches_[slot] == RuleSwitch::disabled) offers[slot] = wire::kOfferDisabled;
  }
  return core::offers_with(health_->failed(), offers, config_.rules.size());
}

FilterConfig Daemon::filter_of(const Config& config) const {
  FilterConfig filter;
  const auto macs = cluster_macs(config.vips.front().address);
  filter.vips = addresses_of(config);
  filter.rules = config.rules;
  for (std::size_t slot = 0; slot < filter.rules.size(); ++slot)
    if (switches_[slot] == RuleSwitch::disabled) filter.rules[slot].mode = FilteringMode::disabled;
  filter.seed = config.keys.seed;
  filter.mode = config.mode;
  filter.replace = replace_;
  filter.adapter_mac = own_mac_;
  filter.cluster_mac = config.mode == ClusterMode::unicast ? macs.unicast
                       : config.mode == ClusterMode::igmp  ? macs.igmp
                                                           : macs.multicast;
  filter.masked_mac = masked_mac(config.vips.front().address, config.id);
  filter.dedicated_ip = dedicated_ip_;
  filter.dedicated_ip6 = dedicated_ip6_;
  filter.reset_wait_ns = uint64_t{config.period_ms} * 2 * static_cast<uint64_t>(kMillisecond);
  filter.asks_tracking = translates_;
  filter.bound = false;
  return filter;
}

// The switch is told before the filter takes what it did not take before.
Result<void> Daemon::configure(const FilterConfig& filter) {
  const auto rules = steering_rules_of(filter);
  if (!speaker_->would_change(rules, filter.bound)) return datapath_->configure(filter);
  const SteeringSpeaker::Change change(*speaker_, true);
  auto done = datapath_->configure(filter);
  if (done) speaker_->use_rules(rules, filter.bound);
  return done;
}

BindPlan Daemon::bind_plan_of(const Config& config) const {
  const auto filter = filter_of(config);
  BindPlan plan;
  plan.interface = config.interface;
  plan.strategy = replace_ ? MacStrategy::replace : MacStrategy::add;
  plan.mode = config.mode;
  plan.cluster_mac = filter.cluster_mac;
  plan.masked_mac = filter.masked_mac;
  plan.own_mac = own_mac_;
  plan.vips = filter.vips;
  plan.state_directory = paths_.state_directory;
  return plan;
}

GuardPlan Daemon::guard_plan_of(const Config& config) const {
  const auto filter = filter_of(config);
  return {config.interface, filter.vips,    filter.cluster_mac, filter.masked_mac, own_mac_,
          dedicated_ip_,    dedicated_ip6_, replace_,           translates_};
}

Result<void> Daemon::attach() {
  auto facts = read_adapter(config_.interface);
  if (!facts) return tl::unexpected(facts.error());
  facts_ = *facts;
  carrier_ = facts_.carrier;
  own_mac_ = facts_.mac_current;
  if (const auto former = remembered_mac(paths_.state_directory, config_.interface)) own_mac_ = *former;
  replace_ = config_.mode == ClusterMode::unicast && config_.mac_strategy == MacStrategy::replace;
  dedicated_ip_ = dedicated_address();
  dedicated_ip6_ = dedicated_address6();

  DatapathOptions options;
  options.interface = config_.interface;
  options.pin_directory = pin_directory_of(paths_.runtime_directory);
  options.at_most = config_.datapath;
  auto datapath = Datapath::attach(options);
  if (!datapath) return tl::unexpected(datapath.error().within("filter"));
  datapath_ = std::move(*datapath);
  return {};
}

Result<void> Daemon::start() {
  const auto macs = cluster_macs(config_.vips.front().address);
  const KeySet keys = keys_in_signing_order();
  ProtocolSetup setup{
      settings_of(config_),
      keys,
      config_.name,
      config_.vips.front().address,
      config_.interface,
      own_mac_,
      filter_of(config_).cluster_mac,
      macs.heartbeat_group,
      dedicated_ip6_,
      state_to_start_in() == InitialState::started ? resume_path_in(paths_.runtime_directory) : ""};
  if (const auto group = igmp_group(bind_plan_of(config_))) {
    auto membership = GroupMembership::open(config_.interface, *group);
    if (!membership) return tl::unexpected(membership.error());
    membership_ = std::move(*membership);
  }
  auto speaker = SteeringSpeaker::start(config_.interface, own_mac_);
  if (!speaker) return tl::unexpected(speaker.error());
  speaker_ = std::move(*speaker);
  auto protocol = Protocol::start(
      setup, *datapath_, *speaker_, [this](const core::Notice& notice) { on_notice(notice); },
      [this](const core::MemberRequest& request) { administration_->take(request); });
  if (!protocol) return tl::unexpected(protocol.error());
  protocol_ = std::move(*protocol);
  remember_signing_key(keys);
  protocol_->call([&](core::Host& host, Nanos now) { return host.on_carrier(carrier_, now); });
  become_ordinary();  // the first heartbeats are out

  auto monitor = LinkMonitor::open(config_.interface);
  if (!monitor) return tl::unexpected(monitor.error());
  monitor_ = std::move(*monitor);
  auto claims = FrameSocket::open_discovery(config_.interface);
  if (!claims) return tl::unexpected(claims.error());
  claims_ = std::move(*claims);
  auto announcements = PolicyListener::open(config_.interface);
  if (!announcements) return tl::unexpected(announcements.error());
  switch_ = std::move(*announcements);
  auto to_switch = AnnouncementSocket::open(if_nametoindex(config_.interface.c_str()));
  if (!to_switch) return tl::unexpected(to_switch.error());
  to_switch_.emplace(std::move(*to_switch));

  events_.add(EventId::started,
              "nlbd " NLB_VERSION " runs host " + std::to_string(config_.id) + " of cluster " + config_.name);
  find_translations();
  health_->start();
  begin_bind();
  const InitialState initial = state_to_start_in();
  if (initial == InitialState::started) apply_command(core::HostEvent::start, 0);
  if (initial == InitialState::suspended) apply_command(core::HostEvent::suspend, 0);
  for (const std::string& not_had : {protocol_->not_realtime_because(), lock_memory()})
    if (!not_had.empty()) spdlog::warn("{}", not_had);
  administration_->start(*protocol_);
  follow_metrics();
  return {};
}

// The first IPv4 address of the adapter that is not a VIP; 0.0.0.0 = none.
IpAddress Daemon::dedicated_address() const {
  const auto vips = addresses_of(config_);
  for (const auto& address : facts_.addresses)
    if (address.address.is_v4() && std::find(vips.begin(), vips.end(), address.address) == vips.end())
      return address.address;
  return IpAddress::v4(0);
}

// The first IPv6 address of the adapter that is not a VIP, a link-local one only where there is no other
// (a guarded port may be bound to listed addresses); :: = none.
IpAddress Daemon::dedicated_address6() const {
  const auto vips = addresses_of(config_);
  IpAddress link_local;
  for (const auto& on : facts_.addresses) {
    if (on.address.is_v4() || std::find(vips.begin(), vips.end(), on.address) != vips.end()) continue;
    if (!on.address.is_link_local()) return on.address;
    if (link_local.is_unspecified()) link_local = on.address;
  }
  return link_local;
}

// Whoever says that a segment may be empty, or that nothing is to be proven, is not asked for a gateway
// either.
IpAddress Daemon::gateway_to_ask() const {
  const bool asked = config_.prove_path && config_.on_unproven == OnUnproven::refuse;
  return asked && facts_.gateway ? *facts_.gateway : IpAddress{};
}

void Daemon::follow_gateway() {
  const IpAddress now_there = gateway_to_ask();
  protocol_->call([&](core::Host& host, Nanos now) {
    return host.settings().gateway == now_there ? core::Actions{} : host.on_gateway(now_there, now);
  });
}

// Peers ask our kernel at the IPv4 address, guard and filter mend ARP and neighbour discovery with either:
// all follow when one changes.
void Daemon::follow_dedicated_address() {
  const IpAddress now_there = dedicated_address(), now_there6 = dedicated_address6();
  if (now_there == dedicated_ip_ && now_there6 == dedicated_ip6_) return;
  dedicated_ip_ = now_there;
  dedicated_ip6_ = now_there6;
  protocol_->call([&](core::Host& host, Nanos now) { return host.on_dedicated_address(dedicated_ip_, now); });
  protocol_->use_address6(dedicated_ip6_);
  sync_filter();
  if (auto done = install_guard(guard_plan_of(config_)); !done)
    spdlog::error("guard: {}", done.error().message);
}

InitialState Daemon::state_to_start_in() const {
  const std::string last = read_state_file("host-state");
  const auto persisted = [&](InitialState state) {
    return std::find(config_.persist.begin(), config_.persist.end(), state) != config_.persist.end();
  };
  if (last == "suspended" && persisted(InitialState::suspended)) return InitialState::suspended;
  if (last == "stopped" && persisted(InitialState::stopped)) return InitialState::stopped;
  if (last == "started" && persisted(InitialState::started)) return InitialState::started;
  return config_.initial_state;
}

void Daemon::save_state() {
  core::HostState state = core::HostState::stopped;
  protocol_->inspect([&](const core::Host& host, Nanos) { state = host.state(); });
  const char* text = state == core::HostState::suspended ? "suspended"
                     : state == core::HostState::stopped ? "stopped"
                                                         : "started";
  write_state_file("host-state", text);
}

void Daemon::sync_filter() {
  core::HostState state = core::HostState::stopped;
  protocol_->inspect([&](const core::Host& host, Nanos) { state = host.state(); });
  FilterConfig filter = filter_of(config_);
  filter.bound =
      bind_ == BindState::bound && state != core::HostState::stopped && state != core::HostState::suspended;
  filter_open_ = filter.bound;
  if (auto done = configure(filter); !done) spdlog::error("filter: {}", done.error().message);
}

void Daemon::apply_command(core::HostEvent event, Nanos drain_timeout) {
  protocol_->call([&](core::Host& host, Nanos now) { return host.command(event, now, drain_timeout); });
  sync_filter();
  save_state();
}

void Daemon::tell_offers() {
  const auto offered = offers_now();
  protocol_->call(
      [&](core::Host& host, Nanos now) { return host.on_offers(offered.offers, offered.service, now); });
}

void Daemon::apply_rule_switches() {
  tell_offers();
  sync_filter();
}

int Daemon::link_fd() const {
  return monitor_->fd();
}

void Daemon::on_link_change() {
  const std::lock_guard lock(mutex_);
  (void)monitor_->read();
  if (!interface_gone_ && !monitor_->sees(facts_.index)) lose_interface();
  auto facts = read_adapter(config_.interface);
  link_unread_ = !facts.has_value();  // for want of a descriptor, say: at the next tick
  if (!facts) return;
  if (interface_gone_ && !regain_interface(*facts)) return;
  const bool carrier = facts->carrier;
  facts_ = *facts;
  if (carrier != carrier_) {
    carrier_ = carrier;
    events_.add(carrier_ ? EventId::carrier_back : EventId::carrier_lost, config_.interface);
    if (carrier_)
      if (auto done = forget_unresolved_neighbours(config_.interface); !done)
        spdlog::warn("neighbours: {}", done.error().message);
    if (carrier_) check_path_again();
    if (carrier_ && bind_ == BindState::refused) retry_bind_at_ = 0;
    protocol_->call([&](core::Host& host, Nanos now) { return host.on_carrier(carrier_, now); });
  }
  follow_own_mac();
  follow_dedicated_address();
  follow_gateway();
  notice_vips_by_hand();
  mend_bind();
}

// Removed or renamed: frames for clients come in elsewhere or nowhere, so others shall have the buckets. Our
// sockets may still hear heartbeats of a renamed interface, so this is not left to silence.
void Daemon::lose_interface() {
  if (interface_gone_) return;
  interface_gone_ = true;
  give_up_attempt();
  const std::string evidence = "the interface " + config_.interface + " was removed or renamed";
  events_.add(EventId::interface_gone, evidence);
  refuse_bind({false, BindReason::no_carrier, evidence});
}

// False: it is another one of the same name. Programs, sockets and guard are made for the former, so the
// daemon starts anew, as soon as nothing speaks against a start: whoever makes an interface brings it up and
// gives it its addresses a moment later.
bool Daemon::regain_interface(const AdapterFacts& facts) {
  if (facts.index != facts_.index) {
    const auto objections = preflight(config_, facts);
    needs_restart_ = objections.empty();
    if (needs_restart_) return false;
    const auto evidence = "the interface was made anew, and is waited for: " + objections.front();
    if (std::exchange(bind_outcome_.evidence, evidence) != evidence) say_refusal();
    return false;
  }
  interface_gone_ = false;
  retry_bind_at_ = 0;
  return true;
}

// False: the interface has gone, which the monitor may not have told yet. Looked at last, as nobody took the
// filter or the guard of an interface that went away.
bool Daemon::put_back_what_others_took() {
  const auto missing = datapath_->repair();
  const auto guarded = guard_in_force(guard_plan_of(config_));
  if (!monitor_->sees(facts_.index)) return false;
  if (!missing) spdlog::error("filter: {}", missing.error().message);
  for (const std::string& hook : missing.value_or(std::vector<std::string>{}))
    events_.add(EventId::filter_detached, hook + " was detached from " + config_.interface);
  if (!guarded || *guarded) return true;
  events_.add(EventId::guard_removed, "the table of " + config_.interface);
  if (auto done = install_guard(guard_plan_of(config_)); !done)
    spdlog::error("guard: {}", done.error().message);
  return true;
}

void Daemon::tick() {
  events_.write_lines();
  administration_->tick();
  follow_metrics();
  if (interface_gone_ || link_unread_ || !monitor_->sees(facts_.index)) on_link_change();
  if (interface_gone_) return;
  const std::lock_guard lock(mutex_);
  notice_resume();
  follow_switch();
  speak_to_switch();
  follow_own_mac();
  retry_bind();
  if (!put_back_what_others_took()) return lose_interface();
  follow_translations();
  core::HostState state = core::HostState::stopped;
  protocol_->inspect([&](const core::Host& host, Nanos) { state = host.state(); });
  if (filter_open_ && state == core::HostState::stopped) {  // a drain came to its end
    sync_filter();
    save_state();
  }
  if (sign_anew_at_ != 0 && boottime_now() >= sign_anew_at_) {
    sign_anew_at_ = 0;
    protocol_->use_keys(config_.keys);
    remember_signing_key(config_.keys);
    events_.add(EventId::key_signs, "key " + key_fingerprint(config_.keys.keys.front()));
  }
  check_frames_refused();
}

// At most one line a reason and tick, with a count: a flood of forged frames must not become a flood of
// lines.
void Daemon::check_frames_refused() {
  const auto counters = protocol_->counters();
  for (std::size_t i = 0; i < wire::kRefusalCount; ++i) {
    const uint64_t fresh = counters.refused[i] - refused_reported_[i];
    const auto refusal = static_cast<wire::Refusal>(i);
    const bool ordinary = refusal == wire::Refusal::stale_incarnation || refusal == wire::Refusal::own_frame;
    if (fresh > 0 && !ordinary) {
      const std::string from = counters.refused_from[i].text();
      events_.add(EventId::frames_refused,
                  std::to_string(fresh) + " heartbeats refused: " + std::string(wire::text_of(refusal)) +
                      " (the newest from " + from + ")",
                  {{"reason", std::string(wire::name_of(refusal))},
                   {"count", std::to_string(fresh)},
                   {"from", from}});
    }
    refused_reported_[i] = counters.refused[i];
  }
  check_frames_filtered();
}

void Daemon::check_frames_filtered() {
  for (const Counter& counter : datapath_->counters()) {
    if (counter.name != "heartbeat_excess" && counter.name != "heartbeat_replayed") continue;
    uint64_t& reported = filtered_reported_.try_emplace(counter.name, counter.packets).first->second;
    if (const uint64_t fresh = counter.packets - reported; fresh > 0)
      events_.add(EventId::frames_refused,
                  std::to_string(fresh) + " frames of the heartbeat's type dropped in the kernel: " +
                      (counter.name == "heartbeat_excess" ? "nobody's of this cluster, beyond their budget"
                                                          : "old heartbeats of members, beyond their budget"),
                  {{"reason", counter.name}, {"count", std::to_string(fresh)}});
    reported = counter.packets;
  }
}

Result<void> Daemon::reload() {
  auto fresh = read_local_config(paths_.config);
  if (!fresh) {
    std::string text;
    for (const ConfigProblem& problem : fresh.error()) text += (text.empty() ? "" : "\n") + problem.text();
    events_.add(EventId::reload_refused, text);
    return fail(text, 2);
  }
  const std::lock_guard lock(mutex_);
  if (auto possible = possible_at_run_time(*fresh); !possible) return possible;
  const Config before = config_;
  const BindPlan old_plan = bind_plan_of(config_);
  config_ = std::move(*fresh);
  const ChangeEffect effect = change_effect(before, config_);
  if (before.keys.keys != config_.keys.keys) use_new_keys();
  health_->configure(config_);
  datapath_->allow(config_.datapath);
  history_.add_cause("this host: reload", boottime_now(), unix_ms());
  if (effect == ChangeEffect::live) {
    apply_rule_switches();
    protocol_->call([&](core::Host& host, Nanos now) {
      return host.on_holds(static_cast<uint16_t>(config_.restart_hold_s), config_.max_hold_s, now);
    });
  } else if (effect == ChangeEffect::convergence) {
    use_new_rules(before.rules);
  } else {
    give_up_attempt();  // or it adds what is removed below
    keep_switches(before.rules);
    protocol_->call([&](core::Host& host, Nanos now) { return host.reconfigure(settings_of(config_), now); });
    if (before.mac_strategy != config_.mac_strategy) {
      if (auto done = unbind(old_plan); !done) spdlog::warn("unbind: {}", done.error().message);
      if (bind_ == BindState::bound) bind_ = BindState::probing;
    } else if (auto done = remove_vips(config_.interface, vips_only_in(before, config_)); !done) {
      spdlog::warn("{}", done.error().message);
    }
    begin_bind();
  }
  if (bind_ == BindState::refused && !attempt_) begin_bind();
  events_.add(EventId::reloaded, paths_.config);
  tell_health();
  return {};
}

// Two keys accepted, one sent. A new key is accepted at once and signs after a grace, in which the
// administrator brings it to the other hosts, in any order: no frame is ever signed with a key that a host
// has not been given.
void Daemon::use_new_keys() {
  const KeySet keys = keys_in_signing_order();
  protocol_->use_keys(keys);
  remember_signing_key(keys);
}

KeySet Daemon::keys_in_signing_order() {
  KeySet keys = config_.keys;
  // Pushed out of the file by several rotations in a row: it signs on until the grace is over.
  if (signing_key_ && std::find(keys.keys.begin(), keys.keys.end(), *signing_key_) == keys.keys.end())
    keys.keys.push_back(*signing_key_);
  const auto signing = std::find_if(keys.keys.begin(), keys.keys.end(), [&](const auto& key) {
    return key_fingerprint(key) == signing_fingerprint_;
  });
  sign_anew_at_ = 0;
  if (signing_fingerprint_.empty() || signing == keys.keys.begin()) return keys;
  // Not known any more after a restart: the oldest that is left is the likeliest to be known to others.
  const auto known = signing == keys.keys.end() ? std::prev(signing) : signing;
  if (known == keys.keys.begin()) return keys;
  std::rotate(keys.keys.begin(), known, known + 1);
  sign_anew_at_ = boottime_now() + kKeyGrace;
  events_.add(EventId::key_accepted, "key " + key_fingerprint(config_.keys.keys.front()) + " signs in " +
                                         std::to_string(kKeyGrace / kSecond) +
                                         " s: bring it to all hosts before");
  return keys;
}

// By its fingerprint, beside the host's state: a restart within the grace signs on with the same key.
void Daemon::remember_signing_key(const KeySet& keys) {
  signing_key_ = keys.keys.front();
  signing_fingerprint_ = key_fingerprint(keys.keys.front());
  write_state_file("signing-key", signing_fingerprint_);
}

std::string Daemon::read_state_file(const std::string& name) const {
  std::ifstream file(paths_.state_directory + "/" + name);
  std::string text;
  file >> text;
  return text;
}

// Written whole or not at all: an empty file after a power loss would say something else.
void Daemon::write_state_file(const std::string& name, const std::string& text) const {
  if (read_state_file(name) == text) return;
  if (auto saved = write_durably(paths_.state_directory + "/" + name, text + "\n"); !saved)
    events_.add(EventId::state_not_saved, saved.error().message);
}

void Daemon::stop_for_restart() {
  health_->stop();
  administration_->stop();
  (void)metrics_.follow(std::nullopt);
  const std::lock_guard lock(mutex_);
  save_state();
  give_up_attempt();
  protocol_->call([](core::Host& host, Nanos now) { return host.leave_for_restart(now); });
  events_.add(EventId::stopped, "planned restart: filter, VIPs and MAC stay, connections are held");
  protocol_.reset();
  events_.write_lines();
}

}  // namespace nlb
