// SPDX-License-Identifier: Apache-2.0
// How the cluster MAC and the VIPs come into force, and what is done when they cannot.
//
// Strategies are tried in order, each by an attempt of its own on a thread of its own: filter and guard
// attached and closed → proof → MAC path → address-conflict detection → VIPs → filter open. Where none holds,
// the host is refused with the evidence of the first, and tries again every kRetry: who enables the property
// on the switch need not come back here. What an earlier daemon left in force is taken over at once: its
// connections go on.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "linux/clock.hh"
#include "linux/neighbour.hh"
#include "linux/platform.hh"
#include "linux/switch_words.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

constexpr Nanos kRetry = 3 * kSecond;
constexpr Nanos kAway = 3 * kSecond;        // between two looks, which are due each half second
constexpr Nanos kClaimAhead = 2 * kSecond;  // other hosts wait 5 s for the answer to a change
constexpr int kFailuresBeforeUnbind = 2;    // of a proof that is repeated while bound
constexpr int kClaimsAtOnce = 64;           // the segment's ARP is anybody's

// A physical switch with port security may shut the port for a foreign source, so `auto` sends one only from
// adapters that are virtual by their driver.
bool is_virtual_adapter(const std::string& driver) {
  constexpr std::array names = {"virtio_net", "hv_netvsc", "vmxnet3", "xen-netfront", "vif",
                                "veth",       "macvlan",   "tun",     "e1000",        "e1000e"};
  return std::find(names.begin(), names.end(), driver) != names.end();
}

std::vector<MacStrategy> strategies_of(const Config& config, const std::string& driver) {
  if (config.mode != ClusterMode::unicast) return {MacStrategy::add};
  if (config.mac_strategy != MacStrategy::automatic) return {config.mac_strategy};
  if (is_virtual_adapter(driver)) return {MacStrategy::add, MacStrategy::replace};
  return {MacStrategy::add};
}

std::string words_of_mac_user(const core::AddressConflict& user) {
  const auto who = user.address.is_unspecified() ? "names no address" : "calls itself " + user.address.text();
  return "a frame came from the cluster MAC " + user.mac.text() + ", whose sender " + who;
}

}  // namespace

// Its end is told no more: the next attempt's would be waited for instead.
void Daemon::give_up_attempt() {
  attempt_.reset();
  bind_fd_.drain();
}

// Those from whom a claim of a VIP is no conflict.
core::Claimants Daemon::claimants_of(const BindPlan& plan) const {
  return {plan.cluster_mac, config_.vips.front().address, own_mac_};
}

void Daemon::begin_bind() {
  give_up_attempt();
  strategies_left_ = strategies_of(config_, facts_.driver);
  if (bind_ == BindState::bound) strategies_left_ = {replace_ ? MacStrategy::replace : MacStrategy::add};
  first_refusal_.reset();
  switch_changed_in_attempt_ = false;
  // Left in force by an earlier daemon, or put back by hand: nothing to prove.
  for (const MacStrategy strategy : strategies_left_) {
    use_strategy(strategy);
    if (!verify_bound(bind_plan_of(config_))) continue;
    if (auto closed = close_filter(); !closed)
      return refuse_bind({false, BindReason::none, closed.error().message});
    if (auto done = bind(bind_plan_of(config_)); !done)
      return refuse_bind({false, done.error().reason, done.error().message});
    return complete_bind({true, BindReason::none, "in force already"});
  }
  if (bind_ == BindState::unbound && protocol_->resumed())
    return refuse_bind(
        {false, BindReason::none, "what the daemon before this one had bound is not in force"});
  if (bind_ == BindState::unbound) bind_ = BindState::probing;
  try_next_strategy();
}

void Daemon::use_strategy(MacStrategy strategy) {
  replace_ = config_.mode == ClusterMode::unicast && strategy == MacStrategy::replace;
}

// Connections of an earlier configuration, or of an earlier daemon's life, go on meanwhile; no lease, no new
// ones.
Result<void> Daemon::close_filter() {
  FilterConfig filter = filter_of(config_);
  filter.bound = datapath_->adopted() || bind_ == BindState::bound;
  if (auto done = configure(filter); !done) return done;
  return install_guard(guard_plan_of(config_));
}

void Daemon::try_next_strategy() {
  use_strategy(strategies_left_.front());
  strategies_left_.erase(strategies_left_.begin());
  if (!carrier_) return refuse_bind({false, BindReason::no_carrier, "the link is down"});
  if (auto closed = close_filter(); !closed)
    return refuse_bind({false, BindReason::none, closed.error().message});
  attempt_ = std::make_unique<BindAttempt>(bind_task(), bind_fd_.get());
}

BindTask Daemon::bind_task() {
  const IpAddress primary = config_.vips.front().address;
  BindTask task;
  task.plan = bind_plan_of(config_);
  // Dedicated addresses are bound to the masked MAC while the adapter carries the cluster's.
  const MacAddress own = facts_.mac_current == task.plan.cluster_mac ? task.plan.masked_mac : own_mac_;
  task.path = {own,
               task.plan.cluster_mac,
               task.plan.masked_mac,
               replace_,
               config_.mode != ClusterMode::unicast,
               kMillisecond * config_.period_ms};
  task.claimants = {task.plan.cluster_mac, primary, own};
  task.prove = config_.prove_path && bind_ != BindState::bound;
  // Who said yes once is not asked with every try: each yes takes the MAC away for a moment.
  task.ask_driver = replace_ && driver_tells(facts_.driver) &&
                    (bind_ != BindState::refused || bind_outcome_.reason == BindReason::driver_refused);
  task.unproven_is_good = config_.on_unproven == OnUnproven::bind;
  task.detection = kMillisecond * config_.conflict_detection_ms;
  task.around.neighbours = [this, interface = config_.interface] { return neighbours_to_ask(interface); };
  task.around.peers = [this] { return peers_of_this_mode(); };
  task.membership = membership_.get();
  return task;
}

// On the attempt's thread: those whose heartbeats to the cluster MAC should be heard.
std::vector<IpAddress> Daemon::peers_of_this_mode() const {
  std::vector<IpAddress> peers;
  protocol_->inspect([&](const core::Host& host, Nanos now) {
    for_each_host(host.peers().heard_of, [&](HostId id) {
      const auto& heartbeat = host.peers()[id].heartbeat;
      const bool same_mode = heartbeat.digests.mode == host.settings().digests.mode;
      if (host.hears(id, now) && same_mode) peers.push_back(heartbeat.dedicated_ip);
    });
  });
  return peers;
}

// On the attempt's thread: gateway, peers, then whoever the kernel knows.
std::vector<IpAddress> Daemon::neighbours_to_ask(const std::string& interface) const {
  std::vector<IpAddress> neighbours;
  const auto add = [&](const IpAddress& address) {
    if (!address.is_unspecified() &&
        std::find(neighbours.begin(), neighbours.end(), address) == neighbours.end())
      neighbours.push_back(address);
  };
  if (const auto facts = read_adapter(interface); facts && facts->gateway) add(*facts->gateway);
  protocol_->inspect([&](const core::Host& host, Nanos now) {
    for_each_host(host.peers().heard_of, [&](HostId id) {
      if (host.hears(id, now)) add(host.peers()[id].heartbeat.dedicated_ip);
    });
  });
  for (const auto& known : known_neighbours(interface).value_or(std::vector<IpAddress>{})) add(known);
  return neighbours;
}

void Daemon::on_bind_over() {
  const std::lock_guard lock(mutex_);
  bind_fd_.drain();
  if (!attempt_) return;
  const BindOutcome outcome = attempt_->outcome();
  const bool was_check = !attempt_->task().bind;
  attempt_.reset();
  if (was_check) return judge_check(outcome);
  if (outcome.good) {
    complete_bind(outcome);
    return mend_bind();  // what was taken off meanwhile
  }
  if (!first_refusal_) first_refusal_ = outcome;
  if (!strategies_left_.empty()) return try_next_strategy();
  refuse_bind(*first_refusal_);
}

void Daemon::complete_bind(const BindOutcome& outcome) {
  bind_ = BindState::bound;
  bind_outcome_ = outcome;
  check_failures_ = 0;
  const BindPlan plan = bind_plan_of(config_);
  const MacAddress source = replace_ ? plan.masked_mac : own_mac_;
  protocol_->use_source(source);
  protocol_->call([&](core::Host& host, Nanos now) { return host.on_adapter_mac(source, now); });
  protocol_->call([](core::Host& host, Nanos now) { return host.on_bind(true, "", now); });
  sync_filter();
  events_.add(EventId::bound, config_.interface + ": cluster MAC " + plan.cluster_mac.text() +
                                  " and VIPs are in force (" + (replace_ ? "replace" : "add") + ": " +
                                  outcome.evidence + ")");
}

// Puts back what others took off the adapter. An attempt that is under way does that itself, and until its
// end there may be VIPs that nobody has claimed yet.
void Daemon::mend_bind() {
  const bool attempted = attempt_ && attempt_->task().bind;
  if (bind_ != BindState::bound || attempted) return;
  const auto intact = verify_bound(bind_plan_of(config_));
  if (intact) return;
  events_.add(
      intact.error().message.find("VIP") != std::string::npos ? EventId::vip_removed : EventId::mac_changed,
      intact.error().message);
  if (auto done = bind(bind_plan_of(config_)); !done)
    refuse_bind({false, done.error().reason, done.error().message});
}

// Of this platform, word for word.
std::string Daemon::remedy_of(BindReason reason) const {
  if (reason == BindReason::rx_filtered && is_deaf() && mac_user_.remembered(boottime_now()))
    return kind_of(EventId::cluster_mac_in_use).remedy;
  const IpAddress& primary = config_.vips.front().address;
  RemedyNames names;
  names.interface = config_.interface;
  names.cluster = config_.name;
  names.host_id = std::to_string(config_.id);
  names.cluster_mac = filter_of(config_).cluster_mac.text();
  names.group = config_.mode != ClusterMode::unicast;
  names.masked_mac = masked_mac(primary, config_.id).text();
  names.vip = primary.text();
  const Platform platform = identify_platform("/", config_.interface, facts_.driver).platform;
  return with_switch_remedy(reason, remedy_for(platform, reason, names));
}

void Daemon::refuse_bind(const BindOutcome& refusal) {
  if (bind_ != BindState::refused) refusal_said_.reset();
  bind_ = BindState::refused;
  bind_outcome_ = refusal;
  retry_bind_at_ = std::exchange(switch_changed_in_attempt_, false) ? 0 : boottime_now() + kRetry;
  use_strategy(strategies_of(config_, facts_.driver).front());
  (void)configure(filter_of(config_));
  if (!interface_gone_)  // the guard in force may be that of the last strategy that was tried
    if (auto done = install_guard(guard_plan_of(config_)); !done)
      spdlog::error("guard: {}", done.error().message);
  protocol_->use_source(own_mac_);
  say_refusal();
}

// The event is said once a reason and word of the switch, not with every try.
void Daemon::say_refusal() {
  const BindOutcome told = with_switch_words(bind_outcome_);
  const std::string text = std::string(name_of(told.reason)) + ": " + told.evidence;
  protocol_->call([&](core::Host& host, Nanos now) { return host.on_bind(false, text, now); });
  const bool by_switch = may_be_the_switch(told.reason) && switch_policy_.has_value();
  if (refusal_said_ && refusal_said_->reason == told.reason &&
      (!by_switch || refusal_said_->policy == switch_policy_))
    return;
  refusal_said_ = {told.reason, switch_policy_};
  events_.add(EventId::bind_refused,
              config_.interface + ": " + std::string(text_of(told.reason)) + ": " + told.evidence,
              {{"reason", std::string(name_of(told.reason))},
               {"interface", config_.interface},
               {"remedy", remedy_of(told.reason)}});
}

void Daemon::retry_bind() {
  if (bind_ != BindState::refused || attempt_ || boottime_now() < retry_bind_at_) return;
  begin_bind();
}

// The adapter's own MAC is not ours to set: whoever gives it another one (a network manager) is followed, or
// heartbeats and ARP answers would be sent from an address that the adapter has no more. Where it is the
// cluster's (bound under `replace`), verify_bound() notices; an attempt sets it itself, so afterwards.
void Daemon::follow_own_mac() {
  const MacAddress now_there = facts_.mac_current;
  const bool is_ours = replace_ && bind_ == BindState::bound;
  if (is_ours || attempt_ || now_there == own_mac_ || now_there == filter_of(config_).cluster_mac) return;
  events_.add(EventId::mac_followed, config_.interface + ": the adapter's MAC was " + own_mac_.text() +
                                         " and is " + now_there.text());
  own_mac_ = now_there;
  protocol_->use_source(own_mac_);
  protocol_->call([&](core::Host& host, Nanos now) { return host.on_adapter_mac(own_mac_, now); });
  sync_filter();
  if (auto done = install_guard(guard_plan_of(config_)); !done)
    spdlog::error("guard: {}", done.error().message);
  check_path_again();
}

// The path may be another one when the link was away: another port, another switch, a migration.
void Daemon::check_path_again() {
  if (bind_ != BindState::bound || attempt_ || !config_.prove_path) return;
  BindTask task = bind_task();
  task.prove = true;
  task.bind = false;
  task.unproven_is_good = true;
  attempt_ = std::make_unique<BindAttempt>(std::move(task), bind_fd_.get());
}

// A machine that was suspended or moved may be behind another switch now. Its clock stood still or went on;
// the wall clock is only a hint here, and a step of it costs one proof.
void Daemon::notice_resume() {
  const Nanos boot = boottime_now(), wall = unix_ms() * kMillisecond;
  const Nanos slept = boot - last_tick_, skipped = wall - last_wall_ - slept;
  const bool first = last_tick_ == 0;
  last_tick_ = boot;
  last_wall_ = wall;
  if (first || (slept < kAway && skipped < kAway)) return;
  spdlog::info("this host was away for a while: the path is proven anew");
  check_path_again();
}

void Daemon::judge_check(const BindOutcome& outcome) {
  if (outcome.good || bind_ != BindState::bound) {
    check_failures_ = 0;
    return;
  }
  if (++check_failures_ < kFailuresBeforeUnbind) return check_path_again();
  if (auto done = unbind(bind_plan_of(config_)); !done) spdlog::warn("unbind: {}", done.error().message);
  refuse_bind(outcome);
}

// A VIP on a host that is not bound was added by somebody else. The egress program lets no ARP about it out.
void Daemon::notice_vips_by_hand() {
  if (bind_ == BindState::bound || attempt_) return;
  for (const Vip& vip : config_.vips) {
    const auto on = [&](const InterfaceAddress& address) { return address.address == vip.address; };
    const bool present = std::any_of(facts_.addresses.begin(), facts_.addresses.end(), on);
    const bool said = vips_by_hand_.contains(vip.address);
    if (present && !said)
      events_.add(EventId::vip_by_hand, "VIP " + vip.address.text() + " was added to " + config_.interface +
                                            " by somebody else while this host is not bound");
    if (present) vips_by_hand_.insert(vip.address);
    if (!present) vips_by_hand_.erase(vip.address);
  }
}

// RFC 5227 §2.4, and the same of neighbour discovery: watched for as long as the address is in use.
bool Daemon::on_claim() {
  const std::lock_guard lock(mutex_);
  const auto plan = bind_plan_of(config_);
  const core::Claimants ours = claimants_of(plan);
  for (int i = 0; i < kClaimsAtOnce; ++i) {
    const auto frame = claims_->receive();
    if (!frame) return false;
    if (const auto conflict = claim_of_stranger(*frame, plan.vips, ours, false)) notice_vip_user(*conflict);
    // No host of the cluster sends from it, or a switch would learn it at that host's port.
    if (frame->source == plan.cluster_mac) notice_mac_user({speaker_of(*frame), plan.cluster_mac});
  }
  return true;
}

// Before a change of the configuration adds VIPs: an attempt that finds out afterwards has put all of them at
// stake. On the thread of who asks, without the daemon's lock.
Result<void> Daemon::claim_new_vips(const Config& fresh) const {
  std::vector<IpAddress> added;
  core::Claimants ours;
  {
    const std::lock_guard lock(mutex_);
    if (bind_ != BindState::bound) return {};  // nothing is at stake
    added = vips_only_in(fresh, config_);
    ours = claimants_of(bind_plan_of(config_));
  }
  const Nanos detection = std::min(kMillisecond * fresh.conflict_detection_ms, kClaimAhead);
  if (added.empty() || detection == 0) return {};
  const std::atomic<bool> stop{false};
  const auto user = claim_addresses(fresh.interface, added, ours, detection, stop);
  if (!user) return tl::unexpected(user.error());
  return *user ? fail(words_of_user(**user), 1) : Result<void>{};
}

void Daemon::notice_vip_user(const core::AddressConflict& conflict) {
  if (!vip_user_.hear(conflict, boottime_now())) return;
  events_.add(EventId::ip_conflict,
              "VIP " + conflict.address.text() + " is claimed by " + conflict.mac.text() +
                  ", which is no host of this cluster",
              {{"address", conflict.address.text()}, {"mac", conflict.mac.text()}});
}

void Daemon::notice_mac_user(const core::AddressConflict& conflict) {
  if (!mac_user_.hear(conflict, boottime_now())) return;
  events_.add(EventId::cluster_mac_in_use, words_of_mac_user(conflict),
              {{"address", conflict.address.text()}, {"mac", conflict.mac.text()}});
}

bool Daemon::is_deaf() const {
  bool hears = true;
  protocol_->inspect([&](const core::Host& host, Nanos) { hears = host.hears_cluster_mac(); });
  return bind_ == BindState::bound && !hears;
}

// What `display` says of the adapter: the refusal, else what is wrong in spite of the bind.
BindOutcome Daemon::bind_trouble() const {
  if (bind_ == BindState::refused) {
    BindOutcome trouble = with_switch_words(bind_outcome_);
    for (const IpAddress& vip : vips_by_hand_)
      trouble.evidence += "; VIP " + vip.text() + " was added by hand";
    return trouble;
  }
  if (!vips_by_hand_.empty())
    return {false, BindReason::vip_added_by_hand,
            "VIP " + vips_by_hand_.begin()->text() + " was added by hand"};
  const Nanos now = boottime_now();
  if (is_deaf()) {
    const auto user = mac_user_.remembered(now);
    return {false, BindReason::rx_filtered,
            std::string(text_of(BindReason::rx_filtered)) + (user ? "; " + words_of_mac_user(*user) : "")};
  }
  if (const auto user = vip_user_.remembered(now))
    return {false, BindReason::ip_conflict,
            "VIP " + user->address.text() + " is claimed by " + user->mac.text()};
  if (!carrier_) return {false, BindReason::no_carrier, "the link is down"};
  return {true, bind_outcome_.reason, bind_outcome_.reason == BindReason::none ? "" : bind_outcome_.evidence};
}

}  // namespace nlb
