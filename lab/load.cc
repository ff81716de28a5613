// SPDX-License-Identifier: Apache-2.0
// `nlb lab load`: many short connections, or datagrams; who served how many, and what failed how.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "lab/exchange.hh"
#include "lab/process.hh"
#include "lab/statistics.hh"
#include "lab/tools.hh"

namespace nlb::lab {
namespace {

struct Tally {
  uint64_t ok = 0, failed = 0;
  std::map<std::string, uint64_t> hosts, failures;
  std::map<std::string, std::map<std::string, uint64_t>> by_source;
  std::vector<double> latencies_ms;

  void count(const Attempt& attempt, bool with_source) {
    if (attempt.outcome != Outcome::ok) {
      ++failed;
      ++failures[name_of(attempt.outcome)];
      return;
    }
    ++ok;
    const auto host = std::to_string(attempt.host);
    ++hosts[host];
    if (with_source) ++by_source[text_of(attempt.question.source)][host];
    latencies_ms.push_back(static_cast<double>(attempt.ended - attempt.started) / 1e6);
  }
};

}  // namespace

int load(const LoadOptions& options) {
  raise_descriptor_limit();
  Tally tally;
  ExchangePool pool([&](const Attempt& attempt) { tally.count(attempt, options.by_source); });
  const Monotonic begin = monotonic_now();
  unsigned started = 0;
  const auto due = [&] {  // the instant at which the next one may start
    return options.rate == 0 ? begin : begin + static_cast<Monotonic>(started) * 1'000'000'000 / options.rate;
  };
  while (started < options.connections || pool.active() > 0) {
    while (started < options.connections && pool.active() < options.concurrency && due() <= monotonic_now()) {
      Question question{options.to, {}, options.udp, static_cast<Monotonic>(options.limit_ms) * 1'000'000, 0};
      if (!options.sources.empty()) question.source = options.sources[started % options.sources.size()];
      pool.start(question);
      ++started;
    }
    const bool may_start = started < options.connections && pool.active() < options.concurrency;
    pool.turn(may_start ? due() : monotonic_now() + 1'000'000'000);
  }
  nlohmann::json report = {{"schema", 1},
                           {"protocol", options.udp ? "udp" : "tcp"},
                           {"connections", started},
                           {"ok", tally.ok},
                           {"failed", tally.failed},
                           {"failures", tally.failures},
                           {"hosts", tally.hosts},
                           {"seconds", static_cast<double>(monotonic_now() - begin) / 1e9},
                           {"latency_ms", summary_of(std::move(tally.latencies_ms))}};
  if (options.by_source) report["by_source"] = tally.by_source;
  fmt::print("{}\n", report.dump());
  return tally.failed == 0 ? 0 : 1;
}

}  // namespace nlb::lab
