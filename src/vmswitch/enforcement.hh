// SPDX-License-Identifier: Apache-2.0
// Makes the kernel hold what the configuration says, for the interfaces that are there now: maps, programs on
// every port, the bridge's table, the gate. One function, look_again(), does it all and does nothing where
// all is well; it is called at start, on every change and at every tick, so there is no state that only one
// of them mends.
//
// The order within it keeps a port closed rather than open at every moment:
//   a port whose programs are found wanting leaves the gate's ready set at once
//   maps: the policy, without a moment that is more open than old and new
//   where no gate closes the bridge's ports yet: programs on them, without waiting
//   the bridge's table, and its ports for groups
//   gate: ports with both programs and a policy are ready
//   programs on every port, each replaced in a single step; a port that gets its first ones is ready then
// An earlier daemon's maps go on when their layout is ours, and its gate stays until it is put anew.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "linux/bridge.hh"
#include "vmswitch/gate.hh"
#include "vmswitch/guard_maps.hh"
#include "vmswitch/guard_programs.hh"
#include "vmswitch/port_hooks.hh"
#include "vmswitch/switch_config.hh"

namespace nlb::vmswitch {

struct EnforcementOptions {
  std::string pin_directory;
  bool may_use_tcx = true;
};

// A port of a guarded bridge as it is now.
struct PortStatus {
  BridgePort at;
  HookState hooks;
  bool uplink = false;
  bool has_policy = false;
  bool ready = false;  // frames may go to it and come from it

  [[nodiscard]] bool same_port(const PortStatus& other) const { return at.same_place(other.at); }
};

// What a look found otherwise than it was left, and mended if it could be.
struct Finding {
  enum class Kind { port_joined, port_left, programs_removed, gate_removed, maps_changed, port_closed };
  Kind kind;
  std::string where;  // an interface or a bridge
  std::string text;
};

class Enforcement {
 public:
  // Finds or makes maps and loads the programs; attaches nothing yet.
  [[nodiscard]] static Result<std::unique_ptr<Enforcement>> start(const EnforcementOptions& options,
                                                                  const SwitchConfig& config);

  // The configuration is in force when this returns without an error.
  [[nodiscard]] Result<std::vector<Finding>> look_again(const SwitchConfig& config,
                                                        const ClusterNumbers& numbers);

  // At once, and read back from the kernel; to last, the interface has to be among those of keep_fenced().
  [[nodiscard]] Result<void> fence(uint32_t ifindex);
  void keep_fenced(const std::set<std::string>& interfaces) { fenced_ = interfaces; }

  // Takes everything off again: the bridges pass what they passed before they were guarded.
  [[nodiscard]] Result<void> release(const SwitchConfig& config);

  [[nodiscard]] bool adopted() const { return adopted_; }
  [[nodiscard]] const std::vector<PortStatus>& ports() const { return ports_; }
  [[nodiscard]] const std::vector<Link>& links_now() const { return links_; }
  [[nodiscard]] GuardMaps& maps() { return *maps_; }
  [[nodiscard]] const MapSet& map_set() const { return programs_->maps(); }

 private:
  Enforcement(EnforcementOptions options, std::unique_ptr<GuardPrograms> programs, GuardMaps maps)
      : options_(std::move(options)), programs_(std::move(programs)), maps_(std::move(maps)) {}

  using Findings = std::vector<Finding>;
  [[nodiscard]] Result<void> look_for_vlans(const SwitchConfig& config);
  [[nodiscard]] std::vector<PortStatus> ports_of(const SwitchConfig& config) const;
  [[nodiscard]] PortHooks hooks_of(const BridgePort& port) const;
  void compare_with_last(std::vector<PortStatus>& now, Findings& findings);
  [[nodiscard]] Result<void> write_maps(const SwitchConfig& config, const ClusterNumbers& numbers,
                                        std::vector<PortStatus>& now, Findings& findings);
  [[nodiscard]] Result<void> attach_at_once(const SwitchConfig& config, std::vector<PortStatus>& now);
  [[nodiscard]] bool attach(const SwitchConfig& config, std::vector<PortStatus>& now, Findings& findings);
  [[nodiscard]] bool is_new(const PortStatus& port) const;
  [[nodiscard]] Result<void> pin_addresses(const SwitchConfig& config, const Policy& policy);
  [[nodiscard]] Result<void> reach_members(const Policy& policy);
  [[nodiscard]] GatePlan gate_plan(const std::string& bridge, const std::vector<PortStatus>& now) const;
  [[nodiscard]] Result<void> close_at_gate(const SwitchConfig& config, const std::vector<PortStatus>& now);
  [[nodiscard]] Result<void> leave_ungated(const std::string& bridge);
  [[nodiscard]] Result<void> put_gates(const SwitchConfig& config, const std::vector<PortStatus>& now,
                                       Findings& findings);
  void release_others(const std::vector<PortStatus>& now);
  [[nodiscard]] bool holds_our_maps(const std::vector<uint32_t>& program_ids) const;

  EnforcementOptions options_;
  std::unique_ptr<GuardPrograms> programs_;
  std::optional<GuardMaps> maps_;
  bool adopted_ = false, written_ = false;
  Policy policy_;
  std::vector<Link> links_;
  std::map<uint32_t, PortVlans> vlans_;  // of the ports of bridges that filter VLANs
  std::vector<PortStatus> ports_;
  bool unfinished_ = false;        // the last look did not come to its end
  std::set<std::string> gated_;    // bridges that may have a gate of ours
  std::set<std::string> ungated_;  // bridges in audit: what an earlier daemon left is off
  std::set<std::pair<uint32_t, MacAddress>> pinned_;
  std::set<uint32_t> in_groups_;      // ports that the bridge sends all groups, for our sake
  std::set<std::string> fenced_;      // interfaces
  std::set<std::string> complained_;  // interfaces whose obstacle was told
};

}  // namespace nlb::vmswitch
