// SPDX-License-Identifier: Apache-2.0
#include "lab/machine.hh"

#include <fmt/core.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "lab/agent.hh"
#include "lab/agent_frames.hh"
#include "lab/guest_image.hh"
#include "lab/qmp.hh"

namespace nlb::lab {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kPowerOffMs = 30'000, kGreetingMs = 1000;

std::string file_of(unsigned host, const char* name) {
  return fmt::format("{}/{}", runtime_directory(host), name);
}
std::string script_of(unsigned host) {
  return file_of(host, "machine.sh");
}

std::optional<ProcessId> qemu_of(unsigned host) {
  const auto process = read_pid_file(file_of(host, "qemu.pid"));
  return process && is_alive(*process) ? process : std::nullopt;
}

std::string kernel_parameters(unsigned host) {
  return fmt::format(
      "console=ttyS0 quiet panic=-1 mitigations=off nlb.share=run:{} nlb.share=state:{} nlb.run={}",
      runtime_directory(host), state_directory(host), script_of(host));
}

std::string shared(const char* tag, const std::string& path) {
  return fmt::format("local,path={},mount_tag={},security_model=none", path, tag);
}

// Native XDP on virtio-net needs the receive offloads off; `romfile=` saves the firmware's look for a network
// boot.
constexpr const char* kAdapterOptions =
    "romfile=,mq=on,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off";

std::vector<std::string> qemu_command(const GuestImage& image, const Node& node) {
  const unsigned host = node.host_id;
  const std::vector<std::pair<std::string, std::string>> options = {
      {"name", fmt::format("guest={}", machine_of(host))},
      {"M", "q35"},
      {"accel", image.accelerator},
      {"cpu", image.accelerator == "kvm" ? "host" : "qemu64"},
      {"smp", "1"},
      {"m", "512"},
      {"display", "none"},
      {"serial", fmt::format("file:{}", file_of(host, "console.log"))},
      {"qmp", fmt::format("unix:{},server=on,wait=off", file_of(host, "qmp.sock"))},
      {"kernel", image.kernel},
      {"initrd", image.initramfs},
      {"append", kernel_parameters(host)},
      {"virtfs", shared("run", runtime_directory(host))},
      {"virtfs", shared("state", state_directory(host))},
      {"device", "virtio-rng-pci"},
      {"netdev", fmt::format("tap,id=net0,ifname={},script=no,downscript=no", node.port)},
      {"device", fmt::format("virtio-net-pci,id=net0,netdev=net0,mac={},{}", node.mac, kAdapterOptions)},
      {"netdev", fmt::format("user,id=agent,restrict=on,hostfwd=tcp:127.0.0.1:{}-:{}",
                             agent_forward_port(host), kAgentPort)},
      {"device", fmt::format("virtio-net-pci,netdev=agent,mac=52:54:00:4d:ff:{:02x},romfile=", host)}};
  std::vector<std::string> words = {"qemu-system-x86_64", "-nodefaults", "-no-user-config"};
  for (const auto& [option, value] : options) {
    words.push_back("-" + option);
    words.push_back(value);
  }
  return words;
}

Result<void> start_recorded(unsigned host, const char* name, const std::vector<std::string>& command) {
  auto started = start_daemon(command, kSwitch, file_of(host, fmt::format("{}.log", name).c_str()));
  if (!started) return tl::unexpected<Error>(started.error());
  return write_pid_file(file_of(host, fmt::format("{}.pid", name).c_str()), *started);
}

void end_recorded(unsigned host, const char* name) {
  const auto process = read_pid_file(file_of(host, fmt::format("{}.pid", name).c_str()));
  if (!process) return;
  send_signal(*process, SIGKILL);
  wait_gone(*process, 5000);
}

// By a thread of its own: who asks enters the switch's namespace.
Result<std::string> boot_id_of(unsigned host) {
  return std::async(std::launch::async, greeted_boot_id, host, kGreetingMs).get();
}

Result<void> wait_for_boot_other_than(const std::string& former, unsigned host, int timeout_s) {
  const auto end = Clock::now() + std::chrono::seconds(timeout_s);
  while (true) {
    if (!qemu_of(host))
      return fail(fmt::format("host{}: its QEMU has ended; what it and its guest's console said:\n{}", host,
                              console_tail(host)));
    if (const auto id = boot_id_of(host); id && *id != former) return {};
    if (Clock::now() > end) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return fail(fmt::format("host{}: the guest has not booted within {} s; the end of its console:\n{}", host,
                          timeout_s, console_tail(host)));
}

MachineProcess process_from(const std::string& word) {
  return word == "running"  ? MachineProcess::running
         : word == "paused" ? MachineProcess::paused
                            : MachineProcess::dead;
}

}  // namespace

bool is_machine(unsigned host) {
  return host != 0 && fs::exists(script_of(host));
}

Result<void> write_machine_files(const Plan& plan, unsigned host) {
  const Node node = host_node(host);
  std::string routes;
  if (plan.client_addresses > 1)
    for (unsigned client = 1; client <= plan.clients; ++client)
      routes += fmt::format("10.{}.0.0/16 via 10.77.0.{}\n", 80 + client, 200 + client);
  std::ofstream script(script_of(host));
  script << fmt::format(
      "# Written by `nlb lab up`; the guest's init runs it.\n"
      "id={}\nmac={}\naddress={}\ngateway={}\nroutes='{}'\nforward={}\nhome={}\nstate={}\nroot={}\n"
      "user={}\n. /usr/lib/guest-host\n",
      host, node.mac, node.addresses[0], kGateway, routes, plan.ip_forward ? 1 : 0, runtime_directory(host),
      state_directory(host), lab_root(), kDaemonUser);
  script.close();
  std::error_code error;
  fs::copy_file(lab_root() + "/web.key", file_of(host, "web.key"), fs::copy_options::overwrite_existing,
                error);
  if (!script || error) return fail(fmt::format("{}: cannot be written", script_of(host)));
  return {};
}

// It lives without a QEMU as well, so that it is a port of the switch before the guest's first frame.
Result<void> plug_in_tap(const Node& node) {
  return must_run({"ip", "-n", kSwitch, "-batch", "-"},
                  fmt::format("tuntap add dev {0} mode tap\nlink set {0} master {1}\nlink set {0} up\n",
                              node.port, kBridge));
}

Result<void> power_on(const Node& node) {
  const unsigned host = node.host_id;
  if (qemu_of(host)) return {};
  const auto image = guest_image();
  if (!image) return tl::unexpected<Error>(image.error());
  if (auto started = start_recorded(host, "qemu", qemu_command(*image, node)); !started) return started;
  end_recorded(host, "relay");
  return start_recorded(
      host, "relay",
      {own_program(), "lab", "relay", "--host-id", std::to_string(host), "--socket", control_socket(host)});
}

Result<void> wait_booted(unsigned host, int timeout_s) {
  return wait_for_boot_other_than("", host, timeout_s);
}

Result<Finished> run_in_machine(unsigned host, const std::vector<std::string>& command) {
  std::vector<std::string> words = {own_program(), "lab", "exec", fmt::format("host{}", host), "--"};
  words.insert(words.end(), command.begin(), command.end());
  return run(words);
}

Result<std::string> in_machine(unsigned host, const std::vector<std::string>& words) {
  std::vector<std::string> command = {"sh", script_of(host)};
  command.insert(command.end(), words.begin(), words.end());
  auto done = run_in_machine(host, command);
  if (!done) return tl::unexpected<Error>(done.error());
  if (done->exit_code != 0)
    return fail(fmt::format("host{}: {} failed in the guest: {}", host, words[0], done->output));
  return done->output;
}

void power_off(unsigned host) {
  end_recorded(host, "qemu");
  end_recorded(host, "relay");
}

Result<void> press_power_button(unsigned host) {
  const auto qemu = qemu_of(host);
  if (!qemu) return {};
  send_signal(*qemu, SIGCONT);
  const auto pressed = run_in_machine(host, {"sh", "-c", "echo off >/run/power"});
  const bool off = pressed && pressed->exit_code == 0 && wait_gone(*qemu, kPowerOffMs);
  power_off(host);
  if (off) return {};
  return fail(fmt::format("host{}: the guest did not power off ({}); its power was cut", host,
                          pressed ? pressed->output : pressed.error().message));
}

Result<void> reboot_machine(unsigned host, int timeout_s) {
  const auto former = boot_id_of(host);
  if (!former) return tl::unexpected<Error>(former.error());
  const auto pressed = run_in_machine(host, {"sh", "-c", "echo reboot >/run/power"});
  if (!pressed) return tl::unexpected<Error>(pressed.error());
  return wait_for_boot_other_than(*former, host, timeout_s);
}

Result<void> freeze_machine(unsigned host, bool frozen) {
  const auto qemu = qemu_of(host);
  if (!qemu) return fail(fmt::format("host{} is off", host));
  send_signal(*qemu, frozen ? SIGSTOP : SIGCONT);
  return {};
}

Result<void> set_machine_carrier(unsigned host, bool up) {
  if (!qemu_of(host)) return {};  // a machine that is off sees nothing
  return qmp(file_of(host, "qmp.sock"), "set_link", fmt::format(R"({{"name":"net0","up":{}}})", up));
}

MachineReport machine_report(unsigned host) {
  MachineReport report;
  const auto qemu = qemu_of(host);
  report.on = qemu.has_value();
  report.frozen = qemu && is_stopped(*qemu);
  if (!report.on) report.nlbd = report.service = MachineProcess::dead;
  if (!report.on || report.frozen) return report;
  const auto state = in_machine(host, {"state"});
  if (!state) return report;
  std::istringstream words(*state);
  std::string nlbd, service;
  words >> nlbd >> service;
  report.nlbd = process_from(nlbd);
  report.service = process_from(service);
  return report;
}

std::string console_tail(unsigned host) {
  std::string all;
  for (const auto* name : {"qemu.log", "console.log"}) {
    std::ostringstream text;
    text << std::ifstream(file_of(host, name)).rdbuf();
    all += text.str();
  }
  return all.size() > 3000 ? all.substr(all.size() - 3000) : all;
}

}  // namespace nlb::lab
