// SPDX-License-Identifier: Apache-2.0
// Where the guard's two programs stand on one port: tc ingress (what the guest sends) and egress (what it
// gets).
//
//   tcx        where the kernel has it (6.6): beside any qdisc, ahead of everything else
//   clsact     else: filters of the first priority
//   `ingress`  a qdisc of this kind (Proxmox' rate limit, libvirt's bandwidth) excludes clsact. The transmit
//              program can stand on it, the receive program nowhere: the port is to stay closed towards the
//              guest
//
// All are attached by interface, not through a link held open or pinned: they stay whatever becomes of the
// daemon and of its mount namespace, and replacing one is a single step in the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb::vmswitch {

enum class HookKind { none, tcx, clsact, ingress_qdisc };
[[nodiscard]] const char* name_of(HookKind kind);

struct HookState {
  HookKind kind = HookKind::none;
  bool transmit = false, receive = false;  // in place, and nothing comes before it
  std::string obstacle;                    // why a direction is not in place and how to go on, or ""
  [[nodiscard]] bool complete() const { return transmit && receive; }
};

class PortHooks {
 public:
  PortHooks(uint32_t ifindex, std::string interface, bool may_use_tcx)
      : index_(static_cast<int>(ifindex)), interface_(std::move(interface)), may_use_tcx_(may_use_tcx) {}

  // Sets or replaces what can be. Programs as file descriptors. What is new at tcx waits for a grace period
  // of the kernel (some 15 ms for each program, threads or not: the kernel's lock for links is held); filters
  // of ours go then.
  HookState attach(int transmit, int receive) const;
  // Without waiting: in the place of older ones of ours, or as filters (0.2 ms a port), which hold until
  // attach() has its turn. Where somebody else's programs stand at tcx they would be second, and are left
  // out; where an `ingress` qdisc stands, the one towards the guest is.
  HookState attach_at_once(int transmit, int receive) const;
  // Asked of the kernel; programs by their ids.
  [[nodiscard]] HookState state(uint32_t transmit, uint32_t receive) const;
  // Whether it would be attached elsewhere now than it is: after an update of the kernel, or by order.
  [[nodiscard]] bool belongs_elsewhere(const HookState& now) const;
  // Programs of the guard on this port, of whatever age, by id.
  [[nodiscard]] std::vector<uint32_t> guard_programs() const;
  void remove() const;  // the guard's, and a clsact that nobody else uses

  [[nodiscard]] static bool kernel_has_tcx();

 private:
  [[nodiscard]] HookState attach_tcx(int transmit, int receive) const;
  [[nodiscard]] HookState attach_filters(int transmit, int receive) const;
  void remove_filters() const;
  [[nodiscard]] std::string ingress_qdisc_text() const;
  int index_;
  std::string interface_;
  bool may_use_tcx_;
};

}  // namespace nlb::vmswitch
