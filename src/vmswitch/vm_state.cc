// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/vm_state.hh"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace nlb::vmswitch {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// The process of a pid file, while it lives.
std::optional<int> living_process(const std::string& root, const std::string& pid_file) {
  int pid = 0;
  std::ifstream(pid_file) >> pid;
  if (pid <= 0 || !exists(root + "/proc/" + std::to_string(pid))) return std::nullopt;
  return pid;
}

// Proxmox numbers its machines; a person may have given the name.
std::string proxmox_id(const std::string& vm, const std::string& root) {
  std::error_code error;
  for (fs::directory_iterator at(root + "/etc/pve/qemu-server", error), end; !error && at != end;
       at.increment(error)) {
    std::ifstream lines(at->path());
    for (std::string line; std::getline(lines, line) && !line.starts_with("[");)
      if (line == "name: " + vm) return at->path().stem().string();
  }
  return vm;
}

// A hypervisor's own word: a machine that it knows runs while the process of its pid file lives.
std::optional<RunState> managed_state(const std::string& vm, const std::string& root) {
  const std::string id = proxmox_id(vm, root);
  struct Manager {
    const char* name;
    std::string definition, pid_file;
  };
  for (const Manager& manager : {Manager{"libvirt", root + "/etc/libvirt/qemu/" + vm + ".xml",
                                         root + "/run/libvirt/qemu/" + vm + ".pid"},
                                 Manager{"Proxmox", root + "/etc/pve/qemu-server/" + id + ".conf",
                                         root + "/run/qemu-server/" + id + ".pid"}}) {
    if (const auto pid = living_process(root, manager.pid_file))
      return RunState{true, std::string(manager.name) + " runs it as process " + std::to_string(*pid)};
    if (exists(manager.definition)) return RunState{false, std::string(manager.name) + " has it stopped"};
  }
  return std::nullopt;
}

std::string tap_in(const fs::path& fdinfo) {
  std::ifstream lines(fdinfo);
  std::string name;
  for (std::string line; name.empty() && std::getline(lines, line);)
    if (line.starts_with("iff:")) std::istringstream(line.substr(4)) >> name;
  return name;
}

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

// Descriptors of /dev/net/tun say in their fdinfo which interface they are ("iff:").
void TapHolders::read() {
  is_read_ = true;
  std::error_code error;
  for (fs::directory_iterator process(root_ + "/proc", error), end; !error && process != end;
       process.increment(error)) {
    const std::string pid = process->path().filename();
    if (!is_number(pid)) continue;
    std::error_code gone;
    for (fs::directory_iterator fd(process->path() / "fd", gone); !gone && fd != fs::directory_iterator();
         fd.increment(gone)) {
      std::error_code unreadable;
      const auto target = fs::read_symlink(fd->path(), unreadable).string();
      if (unreadable || !target.starts_with("/dev/net/tun")) continue;
      const auto name = tap_in(process->path() / "fdinfo" / fd->path().filename());
      if (!name.empty()) pids_.emplace(name, pid);
    }
  }
}

std::optional<std::string> TapHolders::pid_of(const std::string& interface) {
  if (!is_read_) read();
  const auto found = pids_.find(interface);
  return found == pids_.end() ? std::nullopt : std::optional(found->second);
}

RunState run_state(const GuestPort& port, const SwitchConfig& config, const std::vector<Link>& links,
                   const std::string& root) {
  TapHolders holders(root);
  return run_state(port, config, links, holders, root);
}

RunState run_state(const GuestPort& port, const SwitchConfig& config, const std::vector<Link>& links,
                   TapHolders& holders, const std::string& root) {
  if (auto managed = managed_state(port.vm, root)) return *managed;
  const auto link =
      std::find_if(links.begin(), links.end(), [&](const Link& one) { return one.name == port.interface; });
  if (link == links.end()) return {false, port.interface + " does not exist"};
  if (link->kind == "tun") {
    const auto pid = holders.pid_of(port.interface);
    if (pid) return {true, "process " + *pid + " holds " + port.interface + " open"};
    return {false, "no process holds " + port.interface + " open"};
  }
  const auto bridge = std::find_if(links.begin(), links.end(), [&](const Link& one) {
    return link->master != 0 && one.ifindex == link->master;
  });
  const bool guarded = bridge != links.end() &&
                       std::any_of(config.switches.begin(), config.switches.end(),
                                   [&](const GuardedSwitch& one) { return one.bridge == bridge->name; });
  if (!guarded) return {false, port.interface + " is on no guarded bridge"};
  if (!link->up) return {false, port.interface + " is down"};
  return {true, port.interface + " is up on " + bridge->name};
}

}  // namespace nlb::vmswitch
