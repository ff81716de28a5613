// SPDX-License-Identifier: Apache-2.0
#include "sim/run.hh"

#include <algorithm>

namespace nlb::sim {
namespace {

constexpr Nanos kRound = 40 * kSecond, kFaultsOfARound = 30 * kSecond;
constexpr uint32_t kMostFaults = 8;  // of a round
constexpr std::size_t kVisitors = 60;
// They came later: drawn with all others they would give every seed another meaning, and results name seeds.
constexpr FaultKind kFirstDrawnOnlyWhenAsked = FaultKind::unhealthy;
constexpr auto kOfFences = {FaultKind::port_down,   FaultKind::port_down,    FaultKind::port_down,
                            FaultKind::migrate,     FaultKind::migrate,      FaultKind::notice_lost,
                            FaultKind::notice_late, FaultKind::notice_twice, FaultKind::link_down,
                            FaultKind::power,       FaultKind::power};
// Beyond it a lease ends now and then without an eviction, as no echo comes in time: nobody accepts then.
constexpr int64_t kMostLossCovered = 200'000;  // parts in a million

class Run {
 public:
  explicit Run(const RunOptions& options)
      : options_(options),
        random_(mix(options.seed)),
        fast_(is_fast(options, random_.below(4) == 0)),
        world_(mix(options.seed ^ 0x776f726c64), fast_ ? 10 : 50, fast_ ? 6 : 10) {
    result_.seed = options.seed;
    result_.sender_loss = options.sender_loss;
    result_.period_ms = world_.period_ms();
    result_.tolerance = world_.tolerance();
    const auto drawn = static_cast<HostId>(2 + random_.below(random_.below(4) == 0 ? 15 : 5));
    result_.hosts = options.hosts != 0 ? options.hosts : drawn;
    if (options.trace) world_.tell_story();
    world_.judge_only(options.only);
    if (options.fences) world_.use_fences(mix(options.seed ^ 0x66656e6365));
    if (options.sender_loss != 0) world_.set_sender_loss(options.sender_loss);
    draw_rules();
    if (random_.below(2) != 0) world_.add_gateway();
  }

  RunResult run() {
    start();
    settle("after the start");
    for (Nanos begin = world_.now() - kStart; begin < options_.duration && world_.violations().empty();
         begin = world_.now() - kStart)
      round(begin);
    result_.hash = world_.hash();
    result_.simulated = world_.now() - kStart;
    result_.violations = world_.violations();
    result_.counters = world_.counters();
    result_.longest_frozen_window = world_.checkers().longest_frozen_window();
    result_.excused_resets = world_.checkers().resets_nobody_could_know();
    result_.lease_length = world_.host(1).lease_length();
    return result_;
  }

 private:
  static constexpr Nanos kStart = kSecond;

  static bool is_fast(const RunOptions& options, bool drawn) {
    if (options.profile == Profile::drawn) return drawn && options.sender_loss == 0;
    return options.profile == Profile::fast;
  }

  void draw_rules() {
    PortRule web;
    web.first_port = web.last_port = 80;
    PortRule one_host;
    one_host.first_port = one_host.last_port = 22;
    one_host.mode = FilteringMode::single;
    web.timeout_s = options_.timeout_s;
    world_.rules = {web};
    if (random_.below(2) != 0) world_.rules.push_back(one_host);
  }

  void start() {
    for (HostId id = 1; id <= result_.hosts; ++id) {
      world_.add(id);
      all_.insert(id);
      members_ |= bit_of(id);
    }
    world_.let_clients_come(true);
    if (options_.timeout_s != 0) world_.let_visitors_come(kVisitors);
  }

  void settle(const std::string& when) {
    const Nanos begun = world_.now();
    const Nanos held_down = longest_hold_down();
    if (!world_.run_until_converged(all_, kSettleHeartbeats * world_.host(1).period() + held_down))
      return world_.violate("settle", "the hosts are not in one view " + std::to_string(kSettleHeartbeats) +
                                          " heartbeats " + when);
    if (held_down == 0)
      result_.longest_settling = std::max(result_.longest_settling, world_.now() - begun);
    else
      ++result_.held_down;
    world_.tell("settled after " + std::to_string((world_.now() - begun) / kMillisecond) + " ms");
  }

  // Who has been in and out of a view again and again has to be steady for a while first: 8 s at most.
  [[nodiscard]] Nanos longest_hold_down() const {
    Nanos longest = 0;
    for (const HostId id : all_)
      for (const core::Peer& peer : world_.host(id).peers())
        longest = std::max(longest, core::hold_down(peer));
    return longest;
  }

  // Faults of the given or the drawn list that lie in the round's time, then peace.
  void round(Nanos begin) {
    const Nanos last = std::min(begin + kFaultsOfARound, options_.duration);
    FaultPlan faults = options_.faults ? given(begin) : drawn(last - begin);
    Nanos end = last, under_way = 0;  // frames that faults have made late arrive after their end
    for (Fault& fault : faults) {
      result_.faults.push_back(fault);
      result_.faults.back().at += begin;
      end = std::max(end, begin + fault.at + fault.duration);
      if (fault.kind == FaultKind::late) under_way += fault.value * kMicrosecond;
    }
    world_.plan(faults);
    world_.run_until(kStart + end + under_way + kMillisecond);
    if (!world_.violations().empty()) return;
    world_.tell("peace");
    world_.mend();
    settle("after the last fault");
    if (!world_.violations().empty()) return;
    if (options_.sender_loss <= kMostLossCovered) world_.demand_cover(members_);
    world_.run_until(kStart + std::max(begin + kRound, world_.now() - kStart + kSecond));
    world_.demand_cover(0);
  }

  FaultPlan drawn(Nanos until) {
    FaultMix mix;
    mix.kinds = options_.kinds;
    if (mix.kinds.empty() && options_.sender_loss == 0)
      for (std::size_t i = 0; i < static_cast<std::size_t>(kFirstDrawnOnlyWhenAsked); ++i)
        mix.kinds.push_back(static_cast<FaultKind>(i));
    if (options_.kinds.empty() && options_.fences)
      mix.kinds.insert(mix.kinds.end(), kOfFences.begin(), kOfFences.end());
    mix.hosts = result_.hosts;
    mix.until = until;
    mix.count = 1 + random_.below(kMostFaults);
    return draw_faults(mix, random_);
  }

  FaultPlan given(Nanos begin) const {
    FaultPlan plan;
    for (Fault fault : *options_.faults) {
      if (fault.at < begin || fault.at >= begin + kRound) continue;
      fault.at -= begin;
      plan.push_back(fault);
    }
    return plan;
  }

  const RunOptions& options_;
  Random random_;
  bool fast_;
  World world_;
  RunResult result_;
  std::set<HostId> all_;
  HostSet members_ = 0;
};

}  // namespace

RunResult run(const RunOptions& options) {
  return Run(options).run();
}

}  // namespace nlb::sim
