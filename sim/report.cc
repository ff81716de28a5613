// SPDX-License-Identifier: Apache-2.0
#include "sim/report.hh"

#include <fmt/format.h>

#include <algorithm>

#include "sim/eviction_odds.hh"

namespace nlb::sim {

void Report::add(const RunResult& result) {
  ++seeds_;
  violations_ += result.violations.size();
  excused_resets_ += result.excused_resets;
  simulated_ += result.simulated;
  longest_settling_ = std::max(longest_settling_, result.longest_settling);
  held_down_ += result.held_down;
  if (result.lease_length > 0)
    longest_window_of_lease_ =
        std::max(longest_window_of_lease_, static_cast<double>(result.longest_frozen_window) /
                                               static_cast<double>(result.lease_length));
  const Counters& c = result.counters;
  counters_.frames += c.frames;
  counters_.deliveries += c.deliveries;
  counters_.refused += c.refused;
  counters_.forged += c.forged;
  counters_.connections += c.connections;
  counters_.unanswered += c.unanswered;
  counters_.segments += c.segments;
  counters_.evictions += c.evictions;
  counters_.views += c.views;
  counters_.resumed += c.resumed;
  counters_.fences += c.fences;
  counters_.fenced_believed += c.fenced_believed;
  counters_.busiest_second = std::max(counters_.busiest_second, c.busiest_second);
  for (const Fault& fault : result.faults) ++faults_[static_cast<std::size_t>(fault.kind)];
  ++hosts_[result.hosts];
  if (result.sender_loss == 0) return;
  Lossy& lossy = lossy_[{result.sender_loss, result.hosts, result.period_ms, result.tolerance}];
  lossy.simulated += result.simulated;
  lossy.evictions += c.evictions;
  lossy.violations += result.violations.size();
}

// What was executed and what is computed never share a column.
std::string Report::losses_text() const {
  std::string text =
      "\n| loss at the sender | hosts | profile | executed: days | executed: evictions, at each host that "
      "saw "
      "one | executed: violations | computed: false evictions a day | computed: one in |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (const auto& [key, lossy] : lossy_) {
    const auto& [loss, hosts, period_ms, tolerance] = key;
    const double a_day = false_evictions_a_day(static_cast<double>(loss) / 1e6, hosts, period_ms, tolerance);
    text += fmt::format("| {:g} % | {} | {} ms x {} | {:.2f} | {} | {} | {:.2g} | {:.2g} days |\n",
                        static_cast<double>(loss) / 1e4, hosts, period_ms, tolerance,
                        static_cast<double>(lossy.simulated) / 86'400e9, lossy.evictions, lossy.violations,
                        a_day, 1 / a_day);
  }
  return text;
}

std::string Report::text(const std::string& command, double processor_s) const {
  const double seconds = static_cast<double>(simulated_) / 1e9;
  std::string text = fmt::format("`{}`\n\n| what | how much |\n|---|---|\n", command);
  const auto row = [&](std::string_view what, const std::string& much) {
    text += fmt::format("| {} | {} |\n", what, much);
  };
  row("seeds", fmt::format("{}", seeds_));
  row("violations", fmt::format("{}", violations_));
  row("simulated time", fmt::format("{:.1f} h", seconds / 3600));
  row("speed",
      fmt::format("{:.0f} times real time, {:.1f} s of one core", seconds / processor_s, processor_s));
  row("frames sent, judged", fmt::format("{}, {}", counters_.frames, counters_.deliveries));
  row("frames damaged and refused, made up or replayed",
      fmt::format("{}, {}", counters_.refused, counters_.forged));
  row("connections, segments", fmt::format("{}, {}", counters_.connections, counters_.segments));
  row("SYNs that nobody answered at once", fmt::format("{}", counters_.unanswered));
  row("views acquired, members evicted (counted at each host)",
      fmt::format("{}, {}", counters_.views, counters_.evictions));
  row("daemons that went on in the view of the one before", fmt::format("{}", counters_.resumed));
  if (counters_.fences != 0)
    row("ports fenced, notices of that believed",
        fmt::format("{}, {}", counters_.fences, counters_.fenced_believed));
  row("most frames that one host sent in a second", fmt::format("{}", counters_.busiest_second));
  row("resets of another's connection that nobody could know of", fmt::format("{}", excused_resets_));
  row("longest time to settle", fmt::format("{} ms", longest_settling_ / kMillisecond));
  row("times that a flapping host was held down when faults ended", fmt::format("{}", held_down_));
  row("longest window after a frozen clock", fmt::format("{:.2f} of the lease", longest_window_of_lease_));
  if (!lossy_.empty()) return text + losses_text();  // no other fault
  text += "\n| fault | met | what happens |\n|---|---|---|\n";
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    const auto kind = static_cast<FaultKind>(i);
    text += fmt::format("| `{}` | {} | {} |\n", name_of(kind), faults_[i], text_of(kind));
  }
  text += "\n| hosts | seeds |\n|---|---|\n";
  for (const auto& [hosts, seeds] : hosts_) text += fmt::format("| {} | {} |\n", int{hosts}, seeds);
  return text;
}

}  // namespace nlb::sim
