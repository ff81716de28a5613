// SPDX-License-Identifier: Apache-2.0
// `nlb lab gap`: how long does a client go without service when something breaks?
//
// Two series run side by side. The impatient one starts an attempt every 5 ms, each from a fresh port and
// with a limit of 100 ms: its failures show the outage itself, whatever TCP would have mended. The patient
// one is an ordinary client: a lost SYN is sent again after one second, so its longest connect shows what
// users notice.
#include "lab/gap.hh"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "lab/process.hh"
#include "lab/statistics.hh"
#include "lab/tools.hh"

namespace nlb::lab {
namespace {

constexpr Monotonic kMs = 1'000'000, kPatientLimit = 20'000 * kMs;
constexpr unsigned kImpatient = 0, kPatient = 1;

// The command that breaks something, run beside the attempts. `nlb lab fault` prints `at_ns=…`, the instant
// at which it acted; of other commands the instant of their start is taken.
class FaultCommand {
 public:
  void start(const std::string& command) {
    std::array<int, 2> out{};
    if (pipe2(out.data(), O_CLOEXEC) != 0) return;
    started_ = monotonic_now();
    child_ = fork();
    if (child_ == 0) {
      dup2(out[1], STDOUT_FILENO);
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    close(out[1]);
    output_ = out[0];
  }
  [[nodiscard]] bool was_started() const { return child_ != 0; }

  void finish() {
    if (child_ <= 0) return;
    std::string text;
    std::array<char, 4096> chunk{};
    for (ssize_t count = 0; (count = read(output_, chunk.data(), chunk.size())) > 0;)
      text.append(chunk.data(), static_cast<std::size_t>(count));
    int status = 0;
    waitpid(child_, &status, 0);
    exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    instant = started_;
    if (const auto at = text.find("at_ns="); at != std::string::npos)
      instant = std::strtoll(text.c_str() + at + 6, nullptr, 10);
  }

  Monotonic instant = 0;
  int exit_code = 0;

 private:
  pid_t child_ = 0;
  int output_ = -1;
  Monotonic started_ = 0;
};

struct Series {
  std::vector<Attempt> attempts;

  void sort_by_start() {
    std::sort(attempts.begin(), attempts.end(),
              [](const auto& a, const auto& b) { return a.started < b.started; });
  }
  [[nodiscard]] nlohmann::json failures() const {
    std::map<std::string, unsigned> counts;
    for (const auto& attempt : attempts)
      if (attempt.outcome != Outcome::ok) ++counts[name_of(attempt.outcome)];
    return counts;
  }
  [[nodiscard]] nlohmann::json hosts(Monotonic from, Monotonic to) const {
    std::map<std::string, unsigned> counts;
    for (const auto& attempt : attempts)
      if (attempt.outcome == Outcome::ok && attempt.started >= from && attempt.started < to)
        ++counts[std::to_string(attempt.host)];
    return counts;
  }
};

void write_log(const std::string& path, const std::array<Series, 2>& series, Monotonic fault) {
  std::ofstream file(path);
  file << "series start_ms_after_fault duration_ms outcome host\n";
  for (const auto& one : series)
    for (const auto& attempt : one.attempts)
      file << fmt::format(
          "{} {:.3f} {:.3f} {} {}\n", attempt.question.series == kPatient ? "patient" : "impatient",
          static_cast<double>(attempt.started - fault) / 1e6,
          static_cast<double>(attempt.ended - attempt.started) / 1e6, name_of(attempt.outcome), attempt.host);
}

nlohmann::json patient_report(const Series& series, Monotonic fault) {
  std::vector<double> connects_ms;
  unsigned failed = 0;
  for (const auto& attempt : series.attempts) {
    if (attempt.outcome != Outcome::ok) ++failed;
    if (attempt.connected != 0 && attempt.ended >= fault)
      connects_ms.push_back(static_cast<double>(attempt.connected - attempt.started) / 1e6);
  }
  return {{"attempts", series.attempts.size()},
          {"failed", failed},
          {"failures", series.failures()},
          {"connect_ms", summary_of(std::move(connects_ms))}};
}

void measure(const GapOptions& options, std::array<Series, 2>& series, FaultCommand& fault) {
  ExchangePool pool(
      [&](const Attempt& attempt) { series[attempt.question.series].attempts.push_back(attempt); });
  const Monotonic begin = monotonic_now(), end = begin + options.seconds * 1000 * kMs;
  const std::array<Monotonic, 2> every{options.every_ms * kMs, options.patient_every_ms * kMs};
  const std::array<Monotonic, 2> limit{options.limit_ms * kMs, kPatientLimit};
  std::array<Monotonic, 2> next{begin, options.patient_every_ms == 0 ? end : begin};
  std::size_t turn = 0;
  while (true) {
    const Monotonic now = monotonic_now();
    if (now >= end && pool.active() == 0) break;
    if (!options.fault_command.empty() && !fault.was_started() && now >= begin + options.fault_at_ms * kMs)
      fault.start(options.fault_command);
    for (unsigned which : {kImpatient, kPatient}) {
      if (now < next[which] || now >= end) continue;
      Question question{options.to, {}, false, limit[which], which};
      if (!options.sources.empty()) question.source = options.sources[turn++ % options.sources.size()];
      pool.start(question);
      next[which] = std::max(next[which] + every[which], now);  // a late turn is not made up for by a burst
    }
    pool.turn(now >= end ? now + 100 * kMs : std::min(next[0], next[1]));
  }
}

}  // namespace

Outage outage_after(const std::vector<Attempt>& attempts, Monotonic fault) {
  Outage outage;
  const Attempt* last_failed = nullptr;
  Monotonic failing_since = 0, good_since = 0;  // 0: not now
  for (const auto& attempt : attempts) {
    const bool failed = attempt.outcome != Outcome::ok;
    if (failed && attempt.ended < fault) {
      ++outage.failed_before;
    } else if (failed) {
      ++outage.failed_after;
      last_failed = &attempt;
      if (failing_since == 0) failing_since = std::max(attempt.started, fault);
      good_since = 0;
    } else if (failing_since != 0) {
      good_since = attempt.started;
      outage.unserved_ns += good_since - failing_since;
      failing_since = 0;
    }
  }
  if (last_failed == nullptr) return outage;
  outage.ended = good_since != 0;
  const Monotonic until = outage.ended ? good_since : last_failed->ended;
  if (!outage.ended) outage.unserved_ns += until - failing_since;
  outage.gap_ns = std::max<Monotonic>(until - fault, 0);
  return outage;
}

int gap(const GapOptions& options) {
  raise_descriptor_limit();
  std::array<Series, 2> series;
  FaultCommand command;
  const Monotonic begin = monotonic_now();
  measure(options, series, command);
  command.finish();
  const Monotonic fault = command.was_started() ? command.instant : begin;
  for (auto& one : series) one.sort_by_start();
  if (!options.log_file.empty()) write_log(options.log_file, series, fault);
  const auto outage = outage_after(series[kImpatient].attempts, fault);
  const Monotonic never = INT64_MAX;
  const nlohmann::json report = {{"schema", 1},
                                 {"attempts", series[kImpatient].attempts.size()},
                                 {"failed_before", outage.failed_before},
                                 {"failed_after", outage.failed_after},
                                 {"failures", series[kImpatient].failures()},
                                 {"fault_at_ms", static_cast<double>(fault - begin) / 1e6},
                                 {"fault_exit_code", command.exit_code},
                                 {"ended", outage.ended},
                                 {"gap_ms", static_cast<double>(outage.gap_ns) / 1e6},
                                 {"unserved_ms", static_cast<double>(outage.unserved_ns) / 1e6},
                                 {"hosts_before", series[kImpatient].hosts(0, fault)},
                                 {"hosts_after", series[kImpatient].hosts(fault + outage.gap_ns, never)},
                                 {"patient", patient_report(series[kPatient], fault)}};
  fmt::print("{}\n", report.dump());
  return outage.ended && command.exit_code == 0 ? 0 : 1;
}

}  // namespace nlb::lab
