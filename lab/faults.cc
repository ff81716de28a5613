// SPDX-License-Identifier: Apache-2.0
// Faults act on recorded processes and on the switch's ports; teardown trusts neither record nor process.
#include "lab/faults.hh"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "lab/console.hh"
#include "lab/guarded_switch.hh"
#include "lab/hosts.hh"
#include "lab/link_faults.hh"
#include "lab/machine.hh"
#include "lab/network.hh"
#include "lab/power.hh"
#include "lab/process.hh"
#include "lab/topology.hh"

namespace nlb::lab {
namespace {

namespace fs = std::filesystem;

constexpr int kWrongUsage = 2;
constexpr unsigned kMostLateMs = 60'000;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Result<ProcessId> running_nlbd(const Node& node) {
  if (node.host_id == 0) return fail(fmt::format("{} is not a host: no nlbd runs there", node.name));
  const auto process = nlbd_of(node.host_id);
  if (!process || !is_alive(*process))
    return fail(fmt::format("{}: nlbd does not run; `nlb lab start {}` starts it", node.name, node.name));
  return *process;
}

Result<int64_t> signal_nlbd(const Node& node, int signal) {
  if (is_machine(node.host_id)) {
    const int64_t instant = now_ns();
    const char* name = signal == SIGKILL ? "KILL" : signal == SIGSTOP ? "STOP" : "CONT";
    if (auto done = in_machine(node.host_id, {"signal", name}); !done)
      return fail(fmt::format("{}: nlbd does not run; `nlb lab start {}` starts it", node.name, node.name));
    return instant;
  }
  const auto process = running_nlbd(node);
  if (!process) return tl::unexpected<Error>(process.error());
  const int64_t instant = now_ns();
  send_signal(*process, signal);
  if (signal == SIGKILL) wait_gone(*process, 5000);
  return instant;
}

// As a virtual machine whose host suspends it: nothing in it runs, nothing gets in or out, the link stays up.
Result<int64_t> stand_still(const Node& node, bool still) {
  if (node.host_id == 0) return fail(fmt::format("{} is not a host", node.name));
  const int64_t instant = now_ns();
  if (is_machine(node.host_id)) {
    if (auto done = freeze_machine(node.host_id, still); !done) return tl::unexpected<Error>(done.error());
    return instant;
  }
  if (auto lost = lose_frames(node, still ? 100 : 0, Direction::both); !lost)
    return tl::unexpected<Error>(lost.error());
  for (const auto& process : processes_in({node.network})) send_signal(process, still ? SIGSTOP : SIGCONT);
  return instant;
}

// A guest sees its link go; a namespace's veth follows its peer by itself.
Result<void> set_link(const Node& node, bool up) {
  if (auto done = set_port(node, up); !done) return done;
  return is_machine(node.host_id) ? set_machine_carrier(node.host_id, up) : Result<void>{};
}

Result<int64_t> heal(const Node& node) {
  const bool is_switch = node.port.empty();
  if (!is_switch) {
    if (auto removed = lose_frames(node, 0, Direction::both); !removed)
      return tl::unexpected<Error>(removed.error());
    if (node.host_id != 0) {
      if (auto removed = delay_heartbeats(node, Lateness::delay, 0); !removed)
        return tl::unexpected<Error>(removed.error());
    }
  }
  const int64_t instant = now_ns();
  if (auto up = is_switch ? unsplit_switch() : set_link(node, true); !up)
    return tl::unexpected<Error>(up.error());
  return instant;
}

// When it began is when it was done: the switch takes some milliseconds to be told.
Result<int64_t> begun(const Result<void>& done) {
  if (!done) return tl::unexpected<Error>(done.error());
  return now_ns();
}

Result<int64_t> lose(const Node& node, const std::string& amount, const std::string& way, bool burst) {
  const auto number = burst ? number_from(amount, "a number of milliseconds", kMostLateMs)
                            : number_from(amount, "a percentage", 100);
  if (!number) return tl::unexpected<Error>(number.error());
  const auto direction = direction_from(way);
  if (!direction) return tl::unexpected<Error>(direction.error());
  if (!burst) return begun(lose_frames(node, *number, *direction));
  const auto began = begun(lose_all_for(node, *number, *direction));
  if (!began) return began;
  std::this_thread::sleep_for(std::chrono::milliseconds(*number));
  if (auto ended = lose_frames(node, 0, *direction); !ended) return tl::unexpected<Error>(ended.error());
  return began;
}

Result<int64_t> be_late(const Node& node, const std::string& fault, const std::string& amount) {
  if (node.host_id == 0) return fail(fmt::format("{} is not a host: it sends no heartbeats", node.name));
  const auto ms = number_from(amount, "a number of milliseconds", kMostLateMs);
  if (!ms) return tl::unexpected<Error>(ms.error());
  const Lateness how = fault == "delay"     ? Lateness::delay
                       : fault == "reorder" ? Lateness::reorder
                                            : Lateness::duplicate;
  return begun(delay_heartbeats(node, how, *ms));
}

Result<int64_t> split(const Plan& plan, const std::vector<std::string>& words) {
  const auto groups = groups_from(plan, words);
  if (!groups) return tl::unexpected<Error>(groups.error());
  return begun(split_switch(*groups));
}

// Pins of the lab's daemons: /sys/fs/bpf/opennlb/<runtime directory>; the name is host 0's without the
// number.
void remove_pins() {
  const fs::path prefix = pin_directory(0);
  const std::string name = prefix.filename().string();
  const std::string start = name.substr(0, name.size() - 1);
  std::error_code error;
  std::vector<fs::path> ours{switch_pin_directory()};
  for (const auto& entry : fs::directory_iterator(prefix.parent_path(), error)) {
    if (entry.path().filename().string().starts_with(start)) ours.push_back(entry.path());
  }
  for (const auto& path : ours) fs::remove_all(path, error);
  fs::remove(prefix.parent_path(), error);  // goes only when nobody else's pins are in it
}

void kill_recorded() {
  if (const auto guard = guard_process()) {
    send_signal(*guard, SIGKILL);
    wait_gone(*guard, 2000);
  }
  for (unsigned host = 1; host <= kMaxLabHosts; ++host) {
    for (const auto* program : {"qemu", "relay", "nlbd", "service"}) {
      const auto process = read_pid_file(fmt::format("{}/{}.pid", runtime_directory(host), program));
      if (!process) continue;
      send_signal(*process, SIGKILL);
      wait_gone(*process, 2000);
    }
  }
}

// Only what looks like a lab's directory is removed: NLB_LAB_ROOT may name anything.
void remove_files() {
  std::error_code error;
  for (const auto& root : {state_root(), lab_root()}) {
    for (unsigned host = 1; host <= kMaxLabHosts; ++host)
      fs::remove_all(fmt::format("{}/host{}", root, host), error);
    for (const auto* directory : {"/switch", "/console"}) fs::remove_all(root + directory, error);
    for (const auto* file : {"/lab.json", "/web.key"}) fs::remove(root + file, error);
    fs::remove(root, error);
  }
}

}  // namespace

Result<int64_t> inject(const Plan& plan, const std::string& fault, const std::vector<std::string>& words) {
  if (fault == "split") return split(plan, words);
  const auto word = [&](std::size_t at) { return at < words.size() ? words[at] : ""; };
  const bool loses = fault == "loss" || fault == "burst";
  if (words.size() > (loses ? 3 : 2)) return fail(fault + ": too many words", kWrongUsage);
  const auto node = find_node(plan, word(0));
  if (!node) return fail(node.error().message, kWrongUsage);
  if (node->port.empty() && fault != "heal")
    return fail("the switch itself has no port; name a host, a client or the gateway", kWrongUsage);
  const std::string argument = word(1);
  if (loses) return lose(*node, argument, word(2), fault == "burst");
  if (fault == "delay" || fault == "reorder" || fault == "duplicate") return be_late(*node, fault, argument);
  const bool whole = argument == "host";
  if (fault == "kill" && whole) {
    const int64_t instant = now_ns();
    if (auto dead = cut_power(*node); !dead) return tl::unexpected<Error>(dead.error());
    return instant;
  }
  if (fault == "pause" && whole) return stand_still(*node, true);
  if (fault == "resume" && whole) return stand_still(*node, false);
  const bool of_machine = fault == "kill" || fault == "pause" || fault == "resume";
  if (!argument.empty())
    return fail(of_machine ? fmt::format("{}: \"{}\" is unknown; say nothing or `host`", fault, argument)
                           : fmt::format("{} takes no argument", fault),
                kWrongUsage);
  if (of_machine) return signal_nlbd(*node, fault == "kill" ? SIGKILL : fault == "pause" ? SIGSTOP : SIGCONT);
  if (fault == "heal") return heal(*node);
  if (fault == "cut") {
    const int64_t instant = now_ns();
    if (auto down = set_link(*node, false); !down) return tl::unexpected<Error>(down.error());
    return instant;
  }
  return fail(fmt::format("{} is unknown; faults are {}", fault, fmt::join(kFaults, ", ")), kWrongUsage);
}

Result<void> tear_down() {
  end_console();
  kill_recorded();
  const auto networks = lab_networks();
  kill_all_in(networks);
  const auto left = processes_in(networks);
  for (const auto& name : networks) remove_network(name);
  remove_pins();
  remove_files();
  if (!left.empty()) return fail(fmt::format("process {} of the lab does not end", left[0].pid));
  return {};
}

}  // namespace nlb::lab
