// SPDX-License-Identifier: Apache-2.0
// The second gate of a guarded bridge, by nftables (bridge family). The programs hold a port only once they
// stand on it, and somebody may take them off; the gate makes the bridge pass nothing that they have not
// seen:
//  - from a port: frames without the mark that the transmit program sets (and the mark goes no further);
//  - to a port: everything, unless the port is in the set of those whose receive program is in place.
// A port that joins the bridge is closed from its first frame, before anybody has noticed it, and no address
// is learned from it. The table outlives the daemon. Frames between the host itself and the bridge device
// pass neither rule but at a guest's port.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "base/result.hh"

namespace nlb::vmswitch {

struct GatePlan {
  std::string bridge;
  std::set<uint32_t> ready;      // interface indices of ports that frames may go to
  std::set<uint32_t> elsewhere;  // ports of other bridges; only used where the kernel needs it
};

// Each is one transaction: there is no instant without a gate while it is replaced.
[[nodiscard]] Result<void> install_gate(const GatePlan& plan);
// The sets alone; fails when there is no gate.
[[nodiscard]] Result<void> fill_gate(const GatePlan& plan);
// Read back: chains, rules and sets are there as planned, and nothing besides.
[[nodiscard]] Result<bool> gate_in_force(const GatePlan& plan);
// Whether a port of the bridge is closed unless it is in the ready set of whatever plan.
[[nodiscard]] Result<bool> gate_stands(const std::string& bridge);
// The ready set of a gate that an earlier daemon left, so that it goes on; none where there is no intact
// gate.
[[nodiscard]] Result<std::set<uint32_t>> gate_ready(const std::string& bridge);
[[nodiscard]] Result<void> remove_gate(const std::string& bridge);

}  // namespace nlb::vmswitch
