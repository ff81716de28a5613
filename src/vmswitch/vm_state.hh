// SPDX-License-Identifier: Apache-2.0
// Whether a virtual machine runs, asked of the hypervisor and never of anything that the guest can set:
// libvirt's or Proxmox' own files; else a process that holds the tap open; else, for an interface that is no
// tap (a container's veth), that it is up on a guarded bridge.
#pragma once

#include <string>
#include <vector>

#include "linux/bridge.hh"
#include "vmswitch/switch_config.hh"

namespace nlb::vmswitch {

struct RunState {
  bool running = false;
  std::string evidence;  // "pid 4711 holds tap-web1 open"
};

// Below `root` are /proc, /run and /etc: "" but in tests.
[[nodiscard]] RunState run_state(const GuestPort& port, const SwitchConfig& config,
                                 const std::vector<Link>& links, const std::string& root = "");

}  // namespace nlb::vmswitch
