// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/switch_daemon.hh"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "datapath/pins.hh"
#include "linux/clock.hh"
#include "linux/frame_socket.hh"

namespace nlb::vmswitch {
namespace {

constexpr Nanos kLearnedAge = 300 * kSecond;  // the ageing time of bridges

std::string numbers_file(const SwitchPaths& paths) {
  return paths.runtime_directory + "/clusters";
}

std::string expected_file(const SwitchPaths& paths) {
  return paths.runtime_directory + "/expected";
}

std::string violations_file(const SwitchPaths& paths) {
  return paths.runtime_directory + "/violations.json";
}

std::string text_in(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

EventId event_of(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::port_joined:
      return EventId::port_joined;
    case Finding::Kind::port_left:
      return EventId::port_left;
    case Finding::Kind::programs_removed:
      return EventId::programs_removed;
    case Finding::Kind::gate_removed:
      return EventId::gate_removed;
    case Finding::Kind::maps_changed:
      return EventId::maps_changed;
    case Finding::Kind::port_closed:
      break;
  }
  return EventId::port_closed;
}

}  // namespace

SwitchDaemon::SwitchDaemon(SwitchPaths paths, SwitchTexts texts, SwitchConfig config, bool may_use_tcx)
    : paths_(std::move(paths)),
      texts_(std::move(texts)),
      config_(std::move(config)),
      may_use_tcx_(may_use_tcx),
      began_ms_(unix_ms()),
      metrics_([this] { return metrics_text(); }) {}

Result<void> SwitchDaemon::lock_bridges(const SwitchConfig& config) {
  for (const auto& guarded : config.switches) {
    if (locks_.contains(guarded.bridge)) continue;
    auto lock = InstanceLock::take("vmswitch/" + guarded.bridge);  // an nlbd may serve on the bridge itself
    if (!lock)
      return fail(
          guarded.bridge + " is guarded by another nlb-vmswitch in this network namespace; stop that first",
          lock.error().code);
    locks_.emplace(guarded.bridge, std::move(*lock));
  }
  return {};
}

Result<void> SwitchDaemon::start() {
  if (auto locked = lock_bridges(config_); !locked) return locked;
  numbers_ = ClusterNumbers::parse(text_in(numbers_file(paths_)));
  violations_.restore(text_in(violations_file(paths_)));
  std::istringstream expected(text_in(expected_file(paths_)));
  for (std::string vm; std::getline(expected, vm);) expected_.insert(vm);
  auto monitor = BridgeMonitor::open();  // before the first look: nothing can come in between unseen
  if (!monitor) return tl::unexpected(monitor.error());
  monitor_ = std::move(*monitor);
  EnforcementOptions options{pin_directory_of(paths_.runtime_directory), may_use_tcx_};
  auto enforcement = Enforcement::start(options, config_);
  if (!enforcement) return tl::unexpected(enforcement.error());
  enforcement_ = std::move(*enforcement);
  auto ring = EventRing::open(enforcement_->maps().events_fd());
  if (!ring) return tl::unexpected(ring.error());
  ring_ = std::move(*ring);
  auto announcements = AnnouncementRing::open(enforcement_->maps().announcements_fd());
  if (!announcements) return tl::unexpected(announcements.error());
  announcements_ = std::move(*announcements);
  auto steering = Steering::over(enforcement_->map_set());
  if (!steering) return tl::unexpected(steering.error());
  steering_ = std::move(*steering);
  auto announcer = PolicyAnnouncer::start();
  if (!announcer) return tl::unexpected(announcer.error());
  announcer_ = std::move(*announcer);
  events_.add(EventId::switch_started,
              std::string("nlb-vmswitch " NLB_VERSION " guards ") + std::to_string(config_.switches.size()) +
                  (config_.switches.size() == 1 ? " bridge" : " bridges") +
                  (enforcement_->adopted() ? ", going on with what an earlier daemon left" : ""));
  numbers_.follow(config_.clusters);
  save_numbers();
  adopt_fences();
  if (auto done = look_again(); !done) return done;
  read_events();
  read_counters();
  follow_metrics();
  events_.write_lines();
  return {};
}

Result<void> SwitchDaemon::release() {
  if (auto locked = lock_bridges(config_); !locked) return locked;
  auto enforcement = Enforcement::start({pin_directory_of(paths_.runtime_directory), may_use_tcx_}, config_);
  if (!enforcement) return tl::unexpected(enforcement.error());
  return (*enforcement)->release(config_);
}

void SwitchDaemon::stop() {
  (void)metrics_.follow(std::nullopt);
  const std::lock_guard lock(mutex_);
  events_.add(EventId::switch_stopped, "nlb-vmswitch ends; programs, maps and gate stay in force");
  events_.write_lines();
}

void SwitchDaemon::save_numbers() const {
  if (auto done = write_atomically(numbers_file(paths_), numbers_.text()); !done)
    spdlog::warn("{}", done.error().message);
}

// A machine comes from another host, or will not any more. A daemon that starts anew meanwhile knows it, too.
void SwitchDaemon::expect(const std::string& vm, bool expected) {
  if (expected ? !expected_.insert(vm).second : expected_.erase(vm) == 0) return;
  std::string text;
  for (const auto& one : expected_) text += one + "\n";
  if (auto done = write_atomically(expected_file(paths_), text); !done)
    spdlog::warn("{}", done.error().message);
}

// Whoever asks for a look: ports that went down are fenced before they are forgotten.
Result<void> SwitchDaemon::look_again() {
  fence_ports();
  enforcement_->keep_fenced(fencing_.fenced());
  auto findings = enforcement_->look_again(config_, numbers_);
  if (!findings) {
    if (not_in_force_ != findings.error().message)
      events_.add(EventId::not_in_force, findings.error().message);
    not_in_force_ = findings.error().message;
    return tl::unexpected(findings.error());
  }
  not_in_force_.clear();
  for (const auto& port : enforcement_->ports()) {
    const auto* guest = config_.port_on(port.at.interface);
    identities_[port.at.ifindex] = {guest != nullptr ? guest->vm : "", guest != nullptr ? guest->adapter : "",
                                    port.at.interface};
  }
  for (const auto& finding : *findings) tell(finding);
  tell_misplaced_ports();
  tell_guest_complaints();
  announce();
  return {};
}

// What is in force now, so only after it is.
void SwitchDaemon::announce() {
  std::vector<BridgePort> present;
  for (const auto& port : enforcement_->ports()) present.push_back(port.at);
  steering_->follow(steered_ports(config_, present, numbers_));
  fencing_.follow(fencing_ports(config_, present, numbers_));
  auto policies = announced_policies(config_, present, this_host_name());
  for (auto& [ifindex, policy] : policies) {
    if (steering_->follows(ifindex)) policy.steering = steering_->in_force(ifindex);
    policy.fences = fencing_.follows(ifindex);
  }
  announcer_->announce(policies);
}

void SwitchDaemon::on_announcements() {
  const std::lock_guard lock(mutex_);
  bool changed = false;
  for (const auto& part : announcements_->read()) {
    changed = steering_->take(part) || changed;
    take_presence(part);
  }
  if (changed) announce();
}

void SwitchDaemon::tell(const Finding& finding) {
  events_.add(event_of(finding.kind), finding.text, {{"where", finding.where}});
}

// An interface that exists and is on none of the guarded bridges is not guarded, whatever its [[port]] says.
void SwitchDaemon::tell_misplaced_ports() {
  std::set<std::string> now;
  for (const auto& problem : problems()) {
    now.insert(problem);
    if (!misplaced_.contains(problem)) events_.add(EventId::not_on_bridge, problem);
  }
  misplaced_ = std::move(now);
}

void SwitchDaemon::tell_guest_complaints() {
  std::set<std::string> now;
  for (const auto& complaint : config_.complaints) {
    now.insert(complaint.text);
    if (!guest_complaints_.contains(complaint.text))
      events_.add(EventId::guest_refused, complaint.text, {{"vm", complaint.vm}});
  }
  guest_complaints_ = std::move(now);
}

void SwitchDaemon::on_change() {
  const std::lock_guard lock(mutex_);
  monitor_->drain();
  static_cast<void>(look_again());
  events_.write_lines();
}

void SwitchDaemon::on_events() {
  const std::lock_guard lock(mutex_);
  read_events();
  events_.write_lines();
}

void SwitchDaemon::tick() {
  follow_metrics();
  const std::lock_guard lock(mutex_);
  end_old_fences();
  static_cast<void>(look_again());
  read_events();
  read_counters();
  age_learned_addresses();
  watch_shut_ports();
  events_.write_lines();
}

PortIdentity SwitchDaemon::identity_of(uint32_t ifindex) const {
  const auto found = identities_.find(ifindex);
  return found != identities_.end() ? found->second
                                    : PortIdentity{"", "", "interface " + std::to_string(ifindex)};
}

// The kernel gives times since boot; people read clocks on walls.
void SwitchDaemon::read_events() {
  const int64_t boot_to_unix_ms = unix_ms() - boottime_now() / kMillisecond;
  for (const auto& event : ring_->read()) {
    const auto who = identity_of(event.ifindex);
    const auto time_ms = static_cast<int64_t>(event.time_ns) / kMillisecond + boot_to_unix_ms;
    if (!violations_.on_event(event, who, time_ms)) continue;
    events_.add(EventId::violation, describe(event, who),
                {{"vm", who.vm},
                 {"adapter", who.adapter},
                 {"port", who.interface},
                 {"reason", reason_name(event.reason)},
                 {"address", fault_address(event)}});
  }
}

// As the tables of switches: an address that was not used for five minutes gives its place to another.
void SwitchDaemon::age_learned_addresses() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const Nanos since = now.tv_sec * kSecond + now.tv_nsec - kLearnedAge;
  if (since > 0) enforcement_->maps().age_learned(static_cast<uint64_t>(since));
}

void SwitchDaemon::read_counters() {
  std::map<std::pair<uint32_t, uint16_t>, uint64_t> sums;
  for (const auto& count : enforcement_->maps().counters())
    if (!reason_is_expected(count.reason)) sums[{count.ifindex, count.reason}] += count.sum.packets;
  for (const auto& [key, packets] : sums)
    violations_.on_count(key.first, key.second, packets, identity_of(key.first), unix_ms());
  forget_gone_ports();
  save_violations();
}

// An interface index is not given again soon; what was counted under it is in the log now.
void SwitchDaemon::forget_gone_ports() {
  std::set<uint32_t> here;
  for (const auto& port : enforcement_->ports()) here.insert(port.at.ifindex);
  enforcement_->maps().forget_others(here);
  std::erase_if(identities_, [&](const auto& entry) { return !here.contains(entry.first); });
  std::erase_if(shut_down_, [&](uint32_t ifindex) { return !here.contains(ifindex); });
}

void SwitchDaemon::save_violations() {
  if (!violations_.changed()) return;
  if (auto done = write_atomically(violations_file(paths_), violations_.text()); !done)
    spdlog::warn("{}", done.error().message);
}

// `violation = "shutdown"`: the programs shut the port, the daemon opens it again.
void SwitchDaemon::watch_shut_ports() {
  auto& maps = enforcement_->maps();
  for (const auto& port : enforcement_->ports()) {
    const uint32_t ifindex = port.at.ifindex;
    const auto* guest = config_.port_on(port.at.interface);
    const auto policy = maps.port(ifindex);
    const auto state = maps.state(ifindex);
    if (guest == nullptr || !policy || !state || policy->violation != NLB_GUARD_VIOLATION_SHUTDOWN) continue;
    if (state->down_ns <= policy->recovered_ns) {
      shut_down_.erase(ifindex);
      continue;
    }
    const Nanos now = boottime_now();
    if (shut_down_.insert(ifindex).second)
      events_.add(EventId::port_shut_down,
                  guest->title() + " (" + port.at.interface + ") is shut down since a violation: " +
                      reason_text(static_cast<uint16_t>(state->down_reason)) + "; it recovers after " +
                      std::to_string(guest->recover_s) + " s without another");
    if (now - static_cast<Nanos>(state->down_ns) < Nanos{guest->recover_s} * kSecond) continue;
    if (auto done = maps.recover(ifindex, now); !done) {
      spdlog::error("{}: {}", port.at.interface, done.error().message);
      continue;
    }
    shut_down_.erase(ifindex);
    events_.add(EventId::port_recovered, guest->title() + " (" + port.at.interface + ") passes frames again");
  }
}

Result<void> SwitchDaemon::use(SwitchTexts texts, SwitchConfig config) {
  if (auto locked = lock_bridges(config); !locked) return locked;
  const SwitchConfig before = std::exchange(config_, std::move(config));
  numbers_.follow(config_.clusters);
  save_numbers();
  if (auto done = look_again(); !done) {
    config_ = before;
    numbers_.follow(config_.clusters);
    save_numbers();
    static_cast<void>(look_again());
    return done;
  }
  texts_ = std::move(texts);
  tell_spoofing_changes(before);
  std::erase_if(locks_, [&](const auto& lock) { return switch_of(config_, lock.first) == nullptr; });
  return {};
}

Result<void> SwitchDaemon::reload() {
  const std::lock_guard lock(mutex_);  // before it is read: a `set` meanwhile would be undone
  auto texts = read_switch_texts(paths_.config);
  if (texts) texts->guests = read_guest_files(paths_.runtime_directory);
  auto fresh = texts ? parse_switch_config(*texts) : SwitchConfigResult(tl::unexpected(texts.error()));
  Result<void> done = fresh ? use(std::move(*texts), std::move(*fresh)) : fail(text_of(fresh.error()), 2);
  if (done)
    events_.add(EventId::reloaded, paths_.config);
  else
    events_.add(EventId::reload_refused, done.error().message);
  events_.write_lines();
  return done;
}

Result<void> SwitchDaemon::follow_guest_files() {
  const std::lock_guard lock(mutex_);
  SwitchTexts texts = texts_;
  texts.guests = read_guest_files(paths_.runtime_directory);
  auto config = parse_switch_config(texts);
  if (!config) return fail(text_of(config.error()), 2);
  if (*config == config_) return {};
  return use(std::move(texts), std::move(*config));
}

}  // namespace nlb::vmswitch
