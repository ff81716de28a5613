// SPDX-License-Identifier: Apache-2.0
// What makes a namespace a cluster host: files, the service, nlbd, and the answer of its control socket.
#include "lab/hosts.hh"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "lab/machine.hh"

namespace nlb::lab {
namespace {

using Clock = std::chrono::steady_clock;

std::string pid_file(unsigned host, const std::string& program) {
  return fmt::format("{}/{}.pid", runtime_directory(host), program);
}

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, 0), text;
  if (getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(bytes)) std::abort();
  for (const char c : raw) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// Both ports of the service, as the process's own namespace shows them.
bool listens(const ProcessId& process) {
  const auto has = [&](const char* table, const std::string& wanted, const std::string& state) {
    std::ifstream file(fmt::format("/proc/{}/net/{}", process.pid, table));
    for (std::string line; std::getline(file, line);) {
      std::istringstream fields(line);
      std::string number, local, remote, status;
      fields >> number >> local >> remote >> status;
      if (local == wanted && status == state) return true;
    }
    return false;
  };
  return has("tcp", fmt::format("00000000:{:04X}", kHttpPort), "0A") &&
         has("udp", fmt::format("00000000:{:04X}", kUdpPort), "07");
}

// NLB_LAB_NLBD names another one (tests of upgrades).
std::string daemon_program() {
  if (const char* named = std::getenv("NLB_LAB_NLBD"); named != nullptr) return named;
  return program_beside("nlbd");
}

Result<void> start_nlbd(unsigned host) {
  const auto running = nlbd_of(host);
  if (running && is_alive(*running)) return {};
  const std::string program = daemon_program();
  if (program.empty())
    return fail(fmt::format("nlbd is not beside {}; build it (`make build`) or install it", own_program()));
  auto started = start_daemon(
      {program, "--config", runtime_directory(host) + "/web.toml", "--runtime-dir", runtime_directory(host),
       "--state-dir", state_directory(host), "--user", std::to_string(kDaemonUser), "--foreground"},
      host_node(host).network, log_of(host));
  if (!started) return tl::unexpected<Error>(started.error());
  return write_pid_file(pid_file(host, "nlbd"), *started);
}

// The guest's init starts nlbd from now on by itself.
Result<void> start_machine(unsigned host) {
  if (auto on = power_on(host_node(host)); !on) return on;
  if (auto booted = wait_booted(host, kBootSeconds); !booted) return booted;
  for (const auto* what : {"service", "nlbd"})
    if (auto done = in_machine(host, {what}); !done) return tl::unexpected<Error>(done.error());
  return {};
}

Result<void> start_stand_in(unsigned host) {
  if (host != 1) return {};
  return must_run(
      {"ip", "-n", host_node(host).network, "addr", "replace", fmt::format("{}/32", kVip), "dev", "eth0"});
}

struct Answer {
  std::string state, view;
  std::size_t members = 0;
};

std::optional<Answer> ask_state(unsigned host) {
  const auto asked = run({own_program(), "--socket", control_socket(host), "--json", "query"});
  if (!asked || asked->exit_code != 0) return std::nullopt;
  const auto json = nlohmann::json::parse(asked->output, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  Answer answer;
  answer.state = json.value("state", "");
  if (json.contains("view")) answer.view = json["view"].dump();
  if (json.contains("members")) answer.members = json["members"].size();
  return answer;
}

bool nlbd_lives(unsigned host) {
  if (is_machine(host)) return machine_report(host).nlbd != MachineProcess::dead;
  const auto process = nlbd_of(host);
  return process && is_alive(*process);
}

bool nlbd_is_stopped(unsigned host) {
  if (is_machine(host)) {
    const auto report = machine_report(host);
    return report.frozen || report.nlbd == MachineProcess::paused;
  }
  const auto process = nlbd_of(host);
  return process && is_stopped(*process);
}

// Hosts that somebody took out of the cluster on purpose are not waited for.
bool was_taken_out(unsigned host, const std::optional<Answer>& answer) {
  if (answer) return answer->state == "stopped" || answer->state == "suspended";
  return nlbd_is_stopped(host);
}

// False: not yet. An error: it will never be.
Result<bool> all_agree(const Plan& plan, bool everyone) {
  std::vector<Answer> answers;
  std::size_t draining = 0;  // members still
  bool silent = false;
  for (unsigned host = 1; host <= plan.hosts; ++host) {
    if (std::filesystem::exists(dead_marker(host))) continue;
    // A machine that answers is not asked how it is: that takes a process in the guest.
    auto answer = is_machine(host) ? ask_state(host) : std::nullopt;
    if (!answer && !nlbd_lives(host) && !nlbd_is_stopped(host)) {
      if (!everyone) continue;
      return fail(fmt::format("host{}: nlbd has ended; the end of {}:\n{}next: `nlb lab down`", host,
                              log_of(host), log_tail(host, 15)));
    }
    if (!answer && !is_machine(host) && !nlbd_is_stopped(host)) answer = ask_state(host);
    if (!everyone && was_taken_out(host, answer)) continue;
    if (!everyone && answer && answer->state == "draining") {
      ++draining;
      continue;
    }
    if (answer) answers.push_back(*answer);
    silent = silent || !answer;
  }
  if (silent) return false;
  const auto is_refused = [](const Answer& answer) { return answer.state == "refused"; };
  if (plan.mac_spoofing == "off" && std::all_of(answers.begin(), answers.end(), is_refused)) return true;
  for (const auto& answer : answers) {
    const bool complete = answer.members == answers.size() + draining;
    if (answer.state != "converged" || !complete || answer.view != answers[0].view) return false;
  }
  return true;
}

}  // namespace

std::string log_of(unsigned host) {
  return runtime_directory(host) + "/nlbd.log";
}
std::string dead_marker(unsigned host) {
  return runtime_directory(host) + "/dead";
}
std::optional<ProcessId> nlbd_of(unsigned host) {
  return read_pid_file(pid_file(host, "nlbd"));
}

std::string log_tail(unsigned host, std::size_t lines) {
  std::ifstream file(log_of(host));
  std::deque<std::string> last;
  for (std::string line; std::getline(file, line);) {
    last.push_back(line);
    if (last.size() > lines) last.pop_front();
  }
  std::string text;
  for (const auto& line : last) text += fmt::format("  host{} | {}\n", host, line);
  return text.empty() ? fmt::format("  host{} | (the log is empty)\n", host) : text;
}

Result<void> write_key_file() {
  const auto path = lab_root() + "/web.key";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)), errno);
  const auto text = fmt::format("seed {}\nkey {}\n", random_hex(16), random_hex(32));
  const auto count = write(file, text.data(), text.size());
  const bool given = fchown(file, kDaemonUser, kDaemonUser) == 0;
  close(file);
  if (!given) return fail(fmt::format("{}: {}", path, std::strerror(errno)), errno);
  if (count != static_cast<ssize_t>(text.size())) return fail(path + ": cannot be written");
  return {};
}

Result<void> write_host_files(const Plan& plan, unsigned host) {
  std::error_code error;
  std::filesystem::create_directories(runtime_directory(host), error);
  if (!error) std::filesystem::create_directories(state_directory(host), error);
  if (error) return fail(fmt::format("host{}: its directories cannot be made: {}", host, error.message()));
  const auto path = runtime_directory(host) + "/web.toml";
  std::ofstream file(path);
  file << configuration_of(plan, host);
  file.close();
  if (!file) return fail(path + ": cannot be written");
  if (plan.machines) return write_machine_files(plan, host);
  return {};
}

Result<void> start_service(unsigned host) {
  if (is_machine(host)) return power_on(host_node(host));  // its init starts the service
  const auto running = read_pid_file(pid_file(host, "service"));
  if (running && is_alive(*running)) return {};
  const auto log = runtime_directory(host) + "/service.log";
  auto started = start_daemon({own_program(), "lab", "service", "--host-id", std::to_string(host)},
                              host_node(host).network, log);
  if (!started) return tl::unexpected<Error>(started.error());
  if (auto written = write_pid_file(pid_file(host, "service"), *started); !written) return written;
  for (int turn = 0; turn < 500; ++turn) {
    if (listens(*started)) return {};
    if (!is_alive(*started)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return fail(fmt::format("host{}: the service behind the VIP did not start; see {}", host, log));
}

Result<void> start_host(const Plan& plan, unsigned host) {
  if (is_machine(host)) return start_machine(host);
  if (auto started = start_service(host); !started) return started;
  return plan.stand_in ? start_stand_in(host) : start_nlbd(host);
}

Result<void> stop_nlbd(unsigned host) {
  if (is_machine(host)) {
    const auto done = in_machine(host, {"stop"});
    return done ? Result<void>{} : tl::unexpected<Error>(done.error());
  }
  const auto process = nlbd_of(host);
  if (!process || !is_alive(*process)) return {};
  send_signal(*process, SIGTERM);
  if (wait_gone(*process, 10000)) return {};
  return fail(fmt::format("host{}: nlbd did not end within 10 s of SIGTERM", host));
}

std::string which_nlbd(unsigned host) {
  if (is_machine(host)) return in_machine(host, {"which"}).value_or("");
  const auto process = nlbd_of(host);
  return process && is_alive(*process) ? fmt::format("{} {}", process->pid, process->start_ticks) : "";
}

Result<void> restart_nlbd(const Plan& plan, unsigned host) {
  if (auto stopped = stop_nlbd(host); !stopped) return stopped;
  return start_host(plan, host);
}

Result<void> wait_converged(const Plan& plan, int timeout_s, bool everyone) {
  if (plan.stand_in) return {};
  const auto end = Clock::now() + std::chrono::seconds(timeout_s);
  while (true) {
    const auto agreed = all_agree(plan, everyone);
    if (!agreed) return tl::unexpected<Error>(agreed.error());
    if (*agreed) return {};
    if (Clock::now() > end) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  std::string text = fmt::format("the cluster has not converged within {} s:\n", timeout_s);
  for (unsigned host = 1; host <= plan.hosts; ++host) {
    const auto answer = ask_state(host);
    text += fmt::format(
        "  host{}: {}\n{}", host,
        answer ? fmt::format("{}, view {}, {} members", answer->state, answer->view, answer->members)
               : "nlbd does not answer",
        log_tail(host, 8));
  }
  return fail(
      text + fmt::format("next: `nlb --socket {} display` and `… doctor`; `nlb lab down` clears the lab away",
                         control_socket(1)));
}

Result<void> wait_answering(unsigned host, int timeout_s) {
  const auto end = Clock::now() + std::chrono::seconds(timeout_s);
  while (!ask_state(host)) {
    if (Clock::now() > end)
      return fail(
          fmt::format("host{}: nlbd does not answer within {} s:\n{}", host, timeout_s, log_tail(host, 8)));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

namespace {

// Whether the port at the switch is up and somebody is behind it.
void look_at_machine(HostReport& report, unsigned host) {
  const auto seen = machine_report(host);
  report.dead = report.dead || !seen.on;
  report.nlbd = seen.nlbd != MachineProcess::dead;
  report.paused = seen.nlbd == MachineProcess::paused || seen.frozen;
  report.service = seen.service != MachineProcess::dead;
  const auto link = run({"ip", "-n", kSwitch, "-o", "link", "show", host_node(host).port});
  report.carrier = link && link->output.find("LOWER_UP") != std::string::npos;
}

void look_at_namespace(HostReport& report, unsigned host) {
  const auto service = read_pid_file(pid_file(host, "service"));
  report.service = service && is_alive(*service);
  const auto daemon = nlbd_of(host);
  report.nlbd = daemon && is_alive(*daemon);
  report.paused = report.nlbd && is_stopped(*daemon);
  const auto link = run({"ip", "-n", host_node(host).network, "-o", "link", "show", "eth0"});
  report.carrier = link && link->output.find("LOWER_UP") != std::string::npos;
}

}  // namespace

HostReport report_of(const Plan& plan, unsigned host) {
  HostReport report;
  report.dead = std::filesystem::exists(dead_marker(host));
  is_machine(host) ? look_at_machine(report, host) : look_at_namespace(report, host);
  if (report.nlbd && !report.paused && !plan.stand_in) {
    if (const auto answer = ask_state(host)) {
      report.state = answer->state;
      report.view = answer->view;
      report.members = answer->members;
    }
  }
  return report;
}

}  // namespace nlb::lab
