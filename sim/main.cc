// SPDX-License-Identifier: Apache-2.0
// nlb-sim: runs seeds, says what they violate and how to see it again. What it prints on standard output
// depends on its arguments alone; how long it took goes into the report.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <fstream>
#include <iostream>

#include "sim/report.hh"
#include "sim/shrink.hh"

namespace {

using namespace nlb;
using namespace nlb::sim;

constexpr int kViolated = 1, kWrongUsage = 2;

struct Arguments {
  uint64_t first = 1, last = 1;
  RunOptions options;
  std::string seeds, faults, profile, report, plant, command;
  bool many = false, shrink = true;
};

std::optional<std::pair<uint64_t, uint64_t>> range_of(const std::string& text) {
  const auto dash = text.find('-');
  if (dash == 0 || dash == std::string::npos || dash + 1 == text.size()) return std::nullopt;
  if (text.find_first_not_of("0123456789-") != std::string::npos || text.size() > 30) return std::nullopt;
  const uint64_t from = std::strtoull(text.c_str(), nullptr, 10);
  const uint64_t to = std::strtoull(text.c_str() + dash + 1, nullptr, 10);
  if (to < from) return std::nullopt;
  return std::pair{from, to};
}

// Kinds ("loss,pause") or a whole list (see sim/fault.hh).
std::optional<std::string> take_faults(const std::string& text, RunOptions& options) {
  if (text.find('@') != std::string::npos || text == "none") {
    auto plan = parse_faults(text);
    if (!plan) return plan.error().message;
    options.faults = std::move(*plan);
    return std::nullopt;
  }
  for (const std::string& name : CLI::detail::split(text, ',')) {
    const auto kind = fault_kind(name);
    if (!kind) return "'" + name + "' is no kind of fault; --faults list names them";
    options.kinds.push_back(*kind);
  }
  return std::nullopt;
}

void list_faults() {
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    const auto kind = static_cast<FaultKind>(i);
    fmt::print("{:<14} {}\n", name_of(kind), text_of(kind));
  }
}

std::string replay_command(const Arguments& arguments, const RunResult& result, const FaultPlan& faults) {
  std::string command =
      fmt::format("nlb-sim --seed {} --hosts {} --minutes {:g}", result.seed, int{result.hosts},
                  static_cast<double>(arguments.options.duration) / 60e9);
  if (!arguments.profile.empty()) command += " --profile " + arguments.profile;
  if (arguments.options.sender_loss != 0)
    command +=
        fmt::format(" --sender-loss {:g}", static_cast<double>(arguments.options.sender_loss) / 10'000);
  if (arguments.options.timeout_s != 0)
    command += fmt::format(" --affinity-timeout {}", arguments.options.timeout_s);
  if (arguments.options.fences) command += " --fences";
  if (!arguments.plant.empty()) command += " --plant " + arguments.plant;
  return command + " --faults " + text_of(faults);
}

void say_failure(const Arguments& arguments, const RunResult& result) {
  for (const Violation& violation : result.violations)
    fmt::print("seed {}: {}\n", result.seed, violation.text());
  fmt::print("replay: {}\n", replay_command(arguments, result, result.faults));
  if (!arguments.shrink || arguments.options.trace) return;
  RunOptions options = arguments.options;
  options.hosts = result.hosts;
  fmt::print("shortened: {}\n", replay_command(arguments, result, shortened(options, result)));
}

int run_seeds(const Arguments& arguments) {
  Report report;
  const std::clock_t began = std::clock();
  for (uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    RunOptions options = arguments.options;
    options.seed = seed;
    const RunResult result = run(options);
    report.add(result);
    if (!arguments.many)
      fmt::print("hash={:016x} seed={} hosts={} faults={} simulated={}s violations={}\n", result.hash, seed,
                 int{result.hosts}, result.faults.size(), result.simulated / kSecond,
                 result.violations.size());
    if (!result.violations.empty()) say_failure(arguments, result);
    std::fflush(stdout);
  }
  const double processor_s = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  if (arguments.many)
    fmt::print("{} seeds, {} violations, {} simulated seconds\n", report.seeds(), report.violations(),
               report.simulated() / kSecond);
  if (!arguments.report.empty()) {
    std::ofstream file(arguments.report);
    file << report.text(arguments.command, processor_s);
    if (!file) {
      std::cerr << "nlb-sim: " << arguments.report << ": cannot be written\n";
      return kWrongUsage;
    }
  }
  return report.violations() == 0 ? 0 : kViolated;
}

#ifdef NLB_PLANTED
constexpr uint32_t kPlantedTimeoutS = 6;  // of extended affinity, for the mistakes that are about it

void plant(std::size_t number) {
  core::planted_bug = static_cast<core::Bug>(number);
}

// The faults under which a bug shows, where the default mix has too few of them in so short a time; empty =
// that mix.
std::vector<FaultKind> kinds_that_show(const core::PlantedBug& planted) {
  if (planted.name.starts_with("fence-"))
    return {FaultKind::migrate, FaultKind::migrate, FaultKind::late,     FaultKind::one_way,
            FaultKind::loss,    FaultKind::forge,   FaultKind::port_down};
  if (planted.invariant == "replay")
    return {FaultKind::replay, FaultKind::restart, FaultKind::power, FaultKind::crash};
  if (planted.name == "namesake-ignored")  // whoever hears an owner that does not know it waits as well
    return {FaultKind::duplicate_id, FaultKind::power};
  return {};
}

// Every bug in turn: the first of the seeds that violates the invariant it should violate.
int run_each_plant(const Arguments& arguments) {
  bool all_caught = true;
  fmt::print("| bug | what is wrong | invariant | first seed |\n|---|---|---|---|\n");
  for (std::size_t bug = 0; bug < core::kPlantedBugs.size(); ++bug) {
    plant(bug);
    const auto& planted = core::kPlantedBugs[bug];
    std::string caught = "not caught";
    bool right = false;
    for (uint64_t seed = arguments.first; seed <= arguments.last && !right; ++seed) {
      RunOptions options = arguments.options;
      options.seed = seed;
      options.only = planted.invariant;  // it may violate others first
      if (planted.name.starts_with("keeps-") || planted.name.starts_with("kept-"))
        options.timeout_s = kPlantedTimeoutS;
      options.fences = planted.name.starts_with("fence-");
      if (const auto kinds = kinds_that_show(planted); !kinds.empty()) options.kinds = kinds;
      right = !run(options).violations.empty();
      if (right) caught = std::to_string(seed);
    }
    all_caught = all_caught && right;
    fmt::print("| `{}` | {} | {} | {} |\n", planted.name, planted.what, planted.invariant, caught);
    std::fflush(stdout);
  }
  return all_caught ? 0 : kViolated;
}

std::optional<int> take_plant(const Arguments& arguments) {
  if (arguments.plant == "list") {
    for (const auto& bug : core::kPlantedBugs)
      fmt::print("{:<22} {:<20} {}\n", bug.name, bug.invariant, bug.what);
    return 0;
  }
  if (arguments.plant == "each") return run_each_plant(arguments);
  for (std::size_t i = 0; i < core::kPlantedBugs.size(); ++i)
    if (core::kPlantedBugs[i].name == arguments.plant) {
      plant(i);
      return std::nullopt;
    }
  std::cerr << "nlb-sim: '" << arguments.plant << "' is no planted bug; --plant list names them\n";
  return kWrongUsage;
}
#else
std::optional<int> take_plant(const Arguments&) {
  std::cerr << "nlb-sim: --plant is there in the test build (nlb-sim-planted) alone\n";
  return kWrongUsage;
}
#endif

int simulate(Arguments& arguments) {
  if (arguments.faults == "list") {
    list_faults();
    return 0;
  }
  if (!arguments.seeds.empty()) {
    const auto range = range_of(arguments.seeds);
    if (!range) {
      std::cerr << "nlb-sim: --seeds " << arguments.seeds << ": A-B is wanted, A not above B\n";
      return kWrongUsage;
    }
    std::tie(arguments.first, arguments.last) = *range;
    arguments.many = true;
  }
  if (!arguments.faults.empty())
    if (const auto wrong = take_faults(arguments.faults, arguments.options)) {
      std::cerr << "nlb-sim: " << *wrong << '\n';
      return kWrongUsage;
    }
  if (!arguments.plant.empty())
    if (const auto done = take_plant(arguments)) return *done;
  return run_seeds(arguments);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 0; i < argc; ++i) arguments.command += (i == 0 ? "nlb-sim" : std::string(" ") + argv[i]);
  CLI::App app("Runs clusters of the shipped protocol core under faults, and judges every step.");
  double minutes = 10, sender_loss = 0;
  uint64_t seed = 1;
  unsigned hosts = 0;
  auto* one = app.add_option("--seed", seed, "run this seed and print its hash");
  app.add_option("--seeds", arguments.seeds, "run seeds A-B and print what they violate")->excludes(one);
  app.add_option("--hosts", hosts, "number of hosts, 2 to 64; drawn from 2 to 16 if not given")
      ->check(CLI::Range(2, 64));
  app.add_option("--minutes", minutes, "simulated minutes of faults (default 10)")
      ->check(CLI::Range(0.01, 100'000.0));
  app.add_option("--profile", arguments.profile,
                 "heartbeats: default (50 ms x 10), fast (10 ms x 6); drawn if not given")
      ->check(CLI::IsMember({"default", "fast"}));
  app.add_option("--faults", arguments.faults,
                 "kinds to draw from (loss,pause), or a list KIND@AT+FOR[:HOSTS[:HOSTS[:VALUE]]],…, "
                 "or 'none'; 'list' names the kinds");
  app.add_option("--sender-loss", sender_loss,
                 "percent of all frames lost at their senders, at the default profile, and no other fault")
      ->check(CLI::Range(0.0, 100.0));
  app.add_option("--affinity-timeout", arguments.options.timeout_s,
                 "seconds of extended affinity, with clients that return and are judged")
      ->check(CLI::Range(0, 14'400));
  app.add_flag("--fences", arguments.options.fences,
               "the switch fences ports that go down and tells the hosts; draws faults of that, too");
  app.add_flag("--trace", arguments.options.trace, "tell what happens");
  app.add_flag("!--no-shrink", arguments.shrink, "do not look for a shorter list of faults");
  app.add_option("--report", arguments.report, "write a summary to this file");
  app.add_option("--plant", arguments.plant, "test build: run with this deliberate mistake; 'list', 'each'");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kWrongUsage;
  }
  arguments.first = arguments.last = seed;
  arguments.options.hosts = static_cast<HostId>(hosts);
  arguments.options.duration = static_cast<Nanos>(minutes * 60'000) * kMillisecond;
  if (!arguments.profile.empty())
    arguments.options.profile = arguments.profile == "fast" ? Profile::fast : Profile::standard;
  arguments.options.sender_loss = static_cast<int64_t>(sender_loss * 10'000);
  return simulate(arguments);
}
