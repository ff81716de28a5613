// SPDX-License-Identifier: Apache-2.0
// Faults act on recorded processes and on the switch's ports; teardown trusts neither record nor process.
#include "lab/faults.hh"

#include <fmt/core.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "lab/guarded_switch.hh"
#include "lab/hosts.hh"
#include "lab/machine.hh"
#include "lab/network.hh"
#include "lab/power.hh"
#include "lab/process.hh"
#include "lab/topology.hh"

namespace nlb::lab {
namespace {

namespace fs = std::filesystem;

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

Result<void> remove_loss(const Node& node) {
  const auto listed = run({"nft", "list", "table", "netdev", "loss_" + node.port}, "", kSwitch);
  if (!listed || listed->exit_code != 0) return {};
  return must_run({"nft", "delete", "table", "netdev", "loss_" + node.port}, "", kSwitch);
}

Result<int64_t> lose(const Node& node, const std::string& argument) {
  unsigned percent = 0;
  const auto parsed = std::from_chars(argument.data(), argument.data() + argument.size(), percent);
  if (argument.empty() || parsed.ptr != argument.data() + argument.size() || percent > 100)
    return fail(fmt::format("loss: \"{}\" is not a percentage of 0 to 100", argument));
  if (node.port.empty()) return fail("the switch itself has no port; name a host, a client or the gateway");
  if (auto removed = remove_loss(node); !removed) return tl::unexpected<Error>(removed.error());
  const int64_t instant = now_ns();
  if (percent == 0) return instant;
  std::string rules = fmt::format("table netdev loss_{} {{\n", node.port);
  const std::string which = percent == 100 ? "" : fmt::format("numgen random mod 100 < {} ", percent);
  for (const auto* hook : {"ingress", "egress"}) {
    rules += fmt::format("  chain {0} {{ type filter hook {0} device \"{1}\" priority 0; {2}drop; }}\n", hook,
                         node.port, which);
  }
  if (auto set = must_run({"nft", "-f", "-"}, rules + "}\n", kSwitch); !set)
    return tl::unexpected<Error>(set.error());
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
  if (auto lost = lose(node, still ? "100" : "0"); !lost) return lost;
  for (const auto& process : processes_in({node.network})) send_signal(process, still ? SIGSTOP : SIGCONT);
  return instant;
}

// A guest sees its link go; a namespace's veth follows its peer by itself.
Result<void> set_link(const Node& node, bool up) {
  if (auto done = set_port(node, up); !done) return done;
  return is_machine(node.host_id) ? set_machine_carrier(node.host_id, up) : Result<void>{};
}

Result<int64_t> heal(const Node& node) {
  if (auto removed = remove_loss(node); !removed) return tl::unexpected<Error>(removed.error());
  const int64_t instant = now_ns();
  if (auto up = set_link(node, true); !up) return tl::unexpected<Error>(up.error());
  return instant;
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
    fs::remove_all(root + "/switch", error);
    for (const auto* file : {"/lab.json", "/web.key"}) fs::remove(root + file, error);
    fs::remove(root, error);
  }
}

}  // namespace

Result<int64_t> inject(const Plan& plan, const std::string& fault, const Node& node,
                       const std::string& argument) {
  (void)plan;
  if (fault == "kill" && argument == "host") {
    const int64_t instant = now_ns();
    if (auto dead = cut_power(node); !dead) return tl::unexpected<Error>(dead.error());
    return instant;
  }
  if (fault == "kill" && argument.empty()) return signal_nlbd(node, SIGKILL);
  if (fault == "pause" && argument == "host") return stand_still(node, true);
  if (fault == "resume" && argument == "host") return stand_still(node, false);
  const bool of_machine = fault == "kill" || fault == "pause" || fault == "resume";
  if (of_machine && !argument.empty())
    return fail(fmt::format("{}: \"{}\" is unknown; say nothing or `host`", fault, argument));
  if (fault == "loss") return lose(node, argument);
  if (!argument.empty()) return fail(fmt::format("{} takes no argument", fault));
  if (fault == "pause") return signal_nlbd(node, SIGSTOP);
  if (fault == "resume") return signal_nlbd(node, SIGCONT);
  if (fault == "heal") return heal(node);
  if (fault == "cut") {
    const int64_t instant = now_ns();
    if (auto down = set_link(node, false); !down) return tl::unexpected<Error>(down.error());
    return instant;
  }
  return fail(fmt::format("{} is unknown; faults are kill, pause, resume, cut, heal, loss", fault), 2);
}

Result<void> tear_down() {
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
