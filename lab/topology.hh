// SPDX-License-Identifier: Apache-2.0
// The lab's wires: namespaces, one bridge in a namespace of its own, one port a node.
//
// The switch lives in a namespace because on many machines (Docker, firewalld) frames that cross a bridge of
// the root namespace pass through the host's firewall and are lost. Nothing is made in the root namespace.
#pragma once

#include "base/result.hh"
#include "lab/plan.hh"

namespace nlb::lab {

[[nodiscard]] Result<void> build_topology(const Plan& plan);
// A machine of the lab with an empty kernel: its namespace, adapter, addresses and routes.
[[nodiscard]] Result<void> plug_in(const Plan& plan, const Node& node);
// The way back: whatever was loaded, attached or configured in it is gone. Its port goes too.
void unplug(const Node& node);
// The same adapter at the same port in a new kernel: everything that was set on it or beside it is gone.
[[nodiscard]] Result<void> renew_network(const Plan& plan, const Node& node);
[[nodiscard]] Result<void> set_port(const Node& node, bool up);
// nlbd pins its maps below /sys/fs/bpf; containers often lack the mount. Without it nlbd finds its maps
// through the attached programs, so a failure is worth a note and no more.
[[nodiscard]] Result<void> need_bpffs();

}  // namespace nlb::lab
