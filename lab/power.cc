// SPDX-License-Identifier: Apache-2.0
#include "lab/power.hh"

#include <fmt/core.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "lab/hosts.hh"
#include "lab/machine.hh"
#include "lab/network.hh"
#include "lab/process.hh"
#include "lab/topology.hh"

namespace nlb::lab {
namespace {

namespace fs = std::filesystem;

Result<void> need_host(const Node& node) {
  if (node.host_id == 0) return fail(fmt::format("{} is not a host", node.name));
  return {};
}

// As an init system does it: everything is asked to end, and ended when it does not.
void end_all_in(const std::string& network) {
  const auto processes = processes_in({network});
  for (const auto& process : processes) send_signal(process, SIGCONT);
  for (const auto& process : processes) send_signal(process, SIGTERM);
  for (const auto& process : processes) wait_gone(process, 3000);
  kill_all_in({network});
}

// What a kernel forgets when it boots: everything but the disk, of which only the configuration is rewritten.
Result<void> forget_kernel_state(const Plan& plan, unsigned host) {
  std::error_code error;
  if (is_machine(host)) return write_host_files(plan, host);  // the rest is in the guest's memory
  fs::remove_all(pin_directory(host), error);
  fs::remove_all(runtime_directory(host), error);
  return write_host_files(plan, host);
}

}  // namespace

void kill_all_in(const std::vector<std::string>& networks) {
  for (int turn = 0; turn < 50; ++turn) {
    const auto processes = processes_in(networks);
    if (processes.empty()) return;
    for (const auto& process : processes) send_signal(process, SIGKILL);
    for (const auto& process : processes) wait_gone(process, 2000);
  }
}

Result<void> cut_power(const Node& node) {
  if (auto host = need_host(node); !host) return host;
  if (auto down = set_port(node, false); !down) return down;
  is_machine(node.host_id) ? power_off(node.host_id) : kill_all_in({node.network});
  std::ofstream(dead_marker(node.host_id)) << "dead\n";
  return {};
}

Result<void> shut_down(const Node& node) {
  if (auto host = need_host(node); !host) return host;
  if (fs::exists(dead_marker(node.host_id))) return fail(fmt::format("{} is off already", node.name));
  Result<void> done;
  if (is_machine(node.host_id))
    done = press_power_button(node.host_id);
  else
    end_all_in(node.network);
  std::ofstream(dead_marker(node.host_id)) << "off\n";
  unplug(node);
  return done;
}

Result<void> start_node(const Plan& plan, const Node& node) {
  if (auto host = need_host(node); !host) return host;
  if (fs::exists(dead_marker(node.host_id))) {
    unplug(node);
    if (auto forgotten = forget_kernel_state(plan, node.host_id); !forgotten) return forgotten;
    if (auto plugged = plug_in(plan, node); !plugged) return plugged;
    fs::remove(dead_marker(node.host_id));
  }
  return start_host(plan, node.host_id);
}

Result<void> reboot(const Plan& plan, const Node& node) {
  if (auto host = need_host(node); !host) return host;
  if (fs::exists(dead_marker(node.host_id)))
    return fail(fmt::format("{} is off; `nlb lab vm start {}` boots it", node.name, node.name));
  if (is_machine(node.host_id)) return reboot_machine(node.host_id, kBootSeconds);
  end_all_in(node.network);
  if (auto forgotten = forget_kernel_state(plan, node.host_id); !forgotten) return forgotten;
  if (auto renewed = renew_network(plan, node); !renewed) return renewed;
  return start_host(plan, node.host_id);
}

}  // namespace nlb::lab
