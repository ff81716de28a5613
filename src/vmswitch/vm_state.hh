// SPDX-License-Identifier: Apache-2.0
// Whether a virtual machine runs, asked of the hypervisor and never of anything that the guest can set:
// libvirt's or Proxmox' own files; else a process that holds the tap open; else, for an interface that is no
// tap (a container's veth), that it is up on a guarded bridge.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "linux/bridge.hh"
#include "vmswitch/switch_config.hh"

namespace nlb::vmswitch {

struct RunState {
  bool running = false;
  std::string evidence;  // "pid 4711 holds tap-web1 open"
};

// Which process holds which tap open. All processes are gone through once, when first asked.
class TapHolders {
 public:
  explicit TapHolders(std::string root = "") : root_(std::move(root)) {}
  [[nodiscard]] std::optional<std::string> pid_of(const std::string& interface);

 private:
  void read();
  std::string root_;
  bool is_read_ = false;
  std::map<std::string, std::string> pids_;  // by interface
};

// Below `root` are /proc, /run and /etc: "" but in tests.
[[nodiscard]] RunState run_state(const GuestPort& port, const SwitchConfig& config,
                                 const std::vector<Link>& links, TapHolders& holders,
                                 const std::string& root = "");
[[nodiscard]] RunState run_state(const GuestPort& port, const SwitchConfig& config,
                                 const std::vector<Link>& links, const std::string& root = "");

}  // namespace nlb::vmswitch
