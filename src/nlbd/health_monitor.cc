// SPDX-License-Identifier: Apache-2.0
// Records are under the lock, as others ask for them; timers and runs are the loop's alone.
#include "nlbd/health_monitor.hh"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <thread>

#include "control/config_json.hh"
#include "health/probe.hh"
#include "health/target.hh"
#include "linux/clock.hh"
#include "linux/named_thread.hh"
#include "linux/own_address.hh"

namespace nlb {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
constexpr auto kVipAgain = std::chrono::milliseconds(100);  // how soon an absent VIP is looked for again
// Checks of one service, or of many at the start, change within moments of each other: one view for all.
constexpr auto kGathered = std::chrono::milliseconds(10);

// nullopt: it runs a program.
std::optional<IpAddress> address_asked(const HealthCheck& check) {
  if (check.type == HealthType::exec) return std::nullopt;
  return IpAddress::parse(address_of_target(check.target));
}

bool asks_a_vip(const HealthCheck& check, const Config& config) {
  const auto address = address_asked(check);
  return address && std::any_of(config.vips.begin(), config.vips.end(),
                                [&](const Vip& vip) { return vip.address == *address; });
}

}  // namespace

struct HealthMonitor::Entry {
  Entry(const HealthCheck& configured, const std::string& rule_in_words, const Config& config,
        bool counts_as_healthy)
      : check(configured),
        rule(rule_in_words),
        environment({"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
                     "NLB_CLUSTER=" + config.name, "NLB_HOST=" + std::to_string(config.id),
                     "NLB_RULE=" + rule_in_words}),
        record(configured, counts_as_healthy) {}
  const HealthCheck check;  // its rule_index: when it was made
  const std::string rule;
  const std::vector<std::string> environment;
  // Under the monitor's lock.
  core::HealthRecord record;
  std::size_t slot = 0;  // of its rule now
  bool of_vip = false;
  bool gone = false, waiting = false, last_good = false;
  std::string detail;
  Nanos last_at = 0, last_took = 0;
  // The loop's.
  std::unique_ptr<asio::steady_timer> timer;
  Clock::time_point due;
  std::weak_ptr<Probe> former;  // alive while something of that run is left
  std::shared_ptr<Probe> probe;
};

class HealthMonitor::Loop {
 public:
  Loop(std::mutex& mutex, Changed changed) : mutex_(mutex), changed_(std::move(changed)) {}
  ~Loop() { stop(); }

  void start() {
    thread_ = named_thread("nlbd-health", [this] {
      auto guard = asio::make_work_guard(io_);
      io_.run();
    });
  }
  void stop() {
    asio::post(io_, [this] {
      for (const auto& entry : running_) end(*entry);
      io_.stop();
    });
    if (thread_.joinable()) thread_.join();
  }
  void use(std::vector<std::shared_ptr<Entry>> entries) {
    asio::post(io_, [this, fresh = std::move(entries)] {
      for (const auto& entry : running_)
        if (std::find(fresh.begin(), fresh.end(), entry) == fresh.end()) end(*entry);
      for (const auto& entry : fresh)
        if (!entry->timer) begin(entry);
      running_ = fresh;
    });
  }

 private:
  static void end(Entry& entry) {
    if (entry.timer) entry.timer->cancel();
    if (entry.probe) entry.probe->give_up();
    entry.probe.reset();
  }

  void begin(const std::shared_ptr<Entry>& entry) {
    entry->timer = std::make_unique<asio::steady_timer>(io_);
    entry->due = Clock::now();
    run(entry);
  }

  // In its interval from the beginning of one run to that of the next; what was missed is not made up for.
  void run_later(const std::shared_ptr<Entry>& entry, Clock::duration after) {
    entry->due = std::max(entry->due + after, Clock::now());
    entry->timer->expires_at(entry->due);
    entry->timer->async_wait([this, entry](const boost::system::error_code& error) {
      if (!error) run(entry);
    });
  }

  void run(const std::shared_ptr<Entry>& entry) {
    const auto interval = std::chrono::milliseconds(entry->check.interval_ms);
    const auto address = address_asked(entry->check);
    const bool remote = address && !is_own_address(*address);
    bool waits = false;
    {
      const std::lock_guard lock(mutex_);
      entry->waiting = waits = remote && entry->of_vip;
    }
    run_later(entry, waits ? std::min<Clock::duration>(interval, kVipAgain) : interval);
    if (waits) return;
    const Nanos begun = boottime_now();
    if (remote)
      return take(
          *entry, begun,
          {false, address->text() + " is no address of this host: a check asks the service on its own host"});
    if (!entry->former.expired())
      return take(*entry, begun, {false, "the run before has not ended yet, though it was killed"});
    entry->probe = make_probe(io_, entry->check, entry->environment);
    entry->former = entry->probe;
    entry->probe->begin([this, entry, begun](const Finding& finding) {
      entry->probe.reset();
      take(*entry, begun, finding);
    });
  }

  void take(Entry& entry, Nanos begun, const Finding& finding) {
    bool changed = false;
    {
      const std::lock_guard lock(mutex_);
      if (entry.gone) return;
      const Nanos now = boottime_now();
      entry.last_good = finding.good;
      entry.detail = finding.detail;
      entry.last_at = now;
      entry.last_took = now - begun;
      changed = entry.record.on_result(finding.good, now);
    }
    if (!changed || tells_) return;
    tells_ = true;
    gathered_.expires_after(kGathered);
    gathered_.async_wait([this](const boost::system::error_code& error) {
      tells_ = false;
      if (!error) changed_();
    });
  }

  std::mutex& mutex_;
  Changed changed_;
  asio::io_context io_{1};
  asio::steady_timer gathered_{io_};
  bool tells_ = false;
  std::vector<std::shared_ptr<Entry>> running_;
  std::thread thread_;
};

HealthMonitor::HealthMonitor(Changed changed) : loop_(std::make_unique<Loop>(mutex_, std::move(changed))) {}
HealthMonitor::~HealthMonitor() = default;

void HealthMonitor::start() {
  loop_->start();
}

void HealthMonitor::stop() {
  loop_->stop();
}

// A check that is as it was goes on with its record. Another one of a rule that was there counts, until its
// first result, as what the rule's checks with the same effect were; of a new rule, and at the start, as
// failing.
std::shared_ptr<HealthMonitor::Entry> HealthMonitor::entry_for(const HealthCheck& check,
                                                               const std::string& rule,
                                                               const Config& config) {
  bool rule_healthy = configured_ && std::find(rules_.begin(), rules_.end(), rule) != rules_.end();
  for (const auto& entry : entries_) {
    if (entry->rule != rule) continue;
    HealthCheck former = entry->check;
    former.rule_index = check.rule_index;
    if (former == check) return entry;
    if (former.on_failure == check.on_failure) rule_healthy = rule_healthy && entry->record.healthy();
  }
  return std::make_shared<Entry>(check, rule, config, rule_healthy);
}

void HealthMonitor::configure(const Config& config) {
  std::vector<std::shared_ptr<Entry>> fresh;
  {
    const std::lock_guard lock(mutex_);
    for (const HealthCheck& check : config.health_checks) {
      const std::string rule = rule_text(config.rules[check.rule_index]);
      auto entry = entry_for(check, rule, config);
      if (std::find(fresh.begin(), fresh.end(), entry) != fresh.end()) continue;  // written twice
      entry->slot = check.rule_index;
      entry->of_vip = asks_a_vip(check, config);
      fresh.push_back(std::move(entry));
    }
    for (const auto& entry : entries_)
      entry->gone = std::find(fresh.begin(), fresh.end(), entry) == fresh.end();
    entries_ = fresh;
    rules_.clear();
    for (const PortRule& rule : config.rules) rules_.push_back(rule_text(rule));
    configured_ = true;
  }
  loop_->use(std::move(fresh));
}

std::vector<CheckStatus> HealthMonitor::statuses() const {
  const std::lock_guard lock(mutex_);
  std::vector<CheckStatus> statuses;
  for (const auto& entry : entries_) {
    const core::HealthRecord& record = entry->record;
    HealthCheck check = entry->check;
    check.rule_index = entry->slot;
    statuses.push_back({check, entry->rule, record.health(), record.healthy(), entry->waiting,
                        record.in_a_row(), record.needed(), record.flaps(), record.since(), entry->last_good,
                        entry->detail, entry->last_at, entry->last_took});
  }
  return statuses;
}

std::vector<core::FailedCheck> HealthMonitor::failed() const {
  const std::lock_guard lock(mutex_);
  std::vector<core::FailedCheck> failed;
  for (const auto& entry : entries_)
    if (!entry->record.healthy())
      failed.push_back({entry->slot, entry->check.on_failure, entry->check.all_down});
  return failed;
}

std::string HealthMonitor::rule_name(std::size_t slot) const {
  const std::lock_guard lock(mutex_);
  return slot < rules_.size() ? rules_[slot] : "";
}

}  // namespace nlb
