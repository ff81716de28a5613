// SPDX-License-Identifier: Apache-2.0
#include "lab/guarded_switch.hh"

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "lab/hosts.hh"

namespace nlb::lab {
namespace {

namespace fs = std::filesystem;

std::string configuration_path() {
  return switch_directory() + "/vmswitch.toml";
}
std::string guard_log() {
  return switch_directory() + "/nlb-vmswitch.log";
}
std::string guard_pid_file() {
  return switch_directory() + "/nlb-vmswitch.pid";
}

std::string cluster_text(const Plan& plan) {
  std::string hosts;
  for (unsigned host = 1; host <= plan.hosts; ++host)
    hosts += fmt::format("{}{}", host == 1 ? "" : ", ", host);
  return fmt::format(
      "\n[[cluster]]\nname = \"web\"\ntype = \"nlb\"\nvips = [\"{}\"{}]\nmode = \"{}\"\nhosts = [{}]\n", kVip,
      plan.ipv6 ? fmt::format(", \"{}\"", kVip6) : "", plan.mode, hosts);
}

std::string port_text(const Plan& plan, const Node& node) {
  const bool host = node.host_id != 0;
  std::string text =
      fmt::format("\n[[port]]\nvm = \"{}\"\nadapter = \"net0\"\ninterface = \"{}\"\nmac = \"{}\"\n",
                  host ? machine_of(node.host_id) : node.name, node.port, node.mac);
  if (!host) return text;
  text += fmt::format("mac_spoofing = \"{}\"\n", plan.mac_spoofing);
  if (!plan.declare_cluster) return text;  // a switch that knows MACs alone, as Hyper-V's
  const auto address = node.addresses[0].substr(0, node.addresses[0].find('/'));
  const std::string address6 = plan.ipv6 ? fmt::format(", \"{}\"", address6_of(node)) : "";
  text += fmt::format("addresses = [\"{}\"{}]\ncluster = \"web\"\nhost_id = {}\n", address, address6,
                      node.host_id);
  return text;
}

// It answers once its policy is in force.
bool guard_answers() {
  const auto asked = run({own_program(), "vmswitch", "--socket", switch_socket(), "--json", "show"});
  return asked && asked->exit_code == 0;
}

}  // namespace

bool is_guarded(const Plan& plan) {
  return !plan.mac_spoofing.empty();
}
std::string switch_directory() {
  return lab_root() + "/switch";
}
std::string switch_socket() {
  return switch_directory() + "/control.sock";
}
std::string switch_pin_directory() {
  return pin_directory_of(switch_directory());
}
std::optional<ProcessId> guard_process() {
  return read_pid_file(guard_pid_file());
}

std::string switch_configuration(const Plan& plan) {
  std::string text =
      fmt::format("# Written by `nlb lab up`.\n[[switch]]\nbridge = \"{}\"\nuplinks = [\"{}\"]\n", kBridge,
                  gateway_node().port);
  if (!plan.announce) text += "announce = false\n";
  if (plan.declare_cluster) text += cluster_text(plan);
  for (const auto& node : nodes_of(plan))
    if (node.name != "gateway") text += port_text(plan, node);
  return text;
}

Result<void> write_switch_files(const Plan& plan) {
  std::error_code error;
  fs::create_directories(switch_directory(), error);
  std::ofstream file(configuration_path());
  file << switch_configuration(plan);
  file.close();
  if (error || !file) return fail(configuration_path() + ": cannot be written");
  return {};
}

Result<void> start_guard() {
  const auto running = guard_process();
  if (running && is_alive(*running)) return {};
  const std::string program = program_beside("nlb-vmswitch");
  if (program.empty())
    return fail(
        fmt::format("nlb-vmswitch is not beside {}; build it (`make build`) or install it", own_program()));
  auto started = start_daemon(
      {program, "--config", configuration_path(), "--runtime-dir", switch_directory()}, kSwitch, guard_log());
  if (!started) return tl::unexpected<Error>(started.error());
  if (auto written = write_pid_file(guard_pid_file(), *started); !written) return written;
  for (int turn = 0; turn < 500 && is_alive(*started); ++turn) {
    if (guard_answers()) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return fail(fmt::format("nlb-vmswitch does not answer; see {}", guard_log()));
}

}  // namespace nlb::lab
