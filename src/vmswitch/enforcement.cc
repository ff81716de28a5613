// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/enforcement.hh"

#include <algorithm>
#include <map>
#include <utility>

#include "datapath/object_loading.hh"
#include "datapath/pins.hh"

namespace nlb::vmswitch {
namespace {

std::map<uint32_t, std::string> names_of(const std::vector<Link>& links) {
  std::map<uint32_t, std::string> names;
  for (const auto& link : links) names[link.ifindex] = link.name;
  return names;
}

std::vector<BridgePort> ports_among(const std::vector<Link>& links) {
  const auto names = names_of(links);
  std::vector<BridgePort> ports;
  for (const auto& link : links)
    if (const auto master = names.find(link.master); link.master != 0 && master != names.end())
      ports.push_back({link.ifindex, link.name, master->second});
  return ports;
}

// The guard's programs on the bridges' ports: what is attached is what is in force.
std::vector<uint32_t> attached_programs(const SwitchConfig& config) {
  const auto found = links();
  if (!found) return {};
  std::vector<uint32_t> programs;
  for (const auto& port : ports_among(*found)) {
    if (switch_of(config, port.bridge) == nullptr) continue;
    for (const uint32_t id : PortHooks(port.ifindex, port.interface, true).guard_programs())
      programs.push_back(id);
  }
  return programs;
}

// From filters to tcx a look takes this many ports, 30 ms for each: they are as closed where they stand.
constexpr int kMovesPerLook = 4;

// Shown in audit too, but nothing is closed there.
bool has_gate(const GuardedSwitch& guarded) {
  return guarded.policy == SwitchPolicy::enforce;
}

}  // namespace

Result<std::unique_ptr<Enforcement>> Enforcement::start(const EnforcementOptions& options,
                                                        const SwitchConfig& config) {
  silence_libbpf();
  const auto attached = attached_programs(config);
  MapSet found = maps_of_programs(attached);
  const bool adopted = GuardPrograms::judge(found) == FoundMaps::same_abi;
  if (!adopted) found.clear();
  auto programs = GuardPrograms::load(found);
  if (!programs) return tl::unexpected(programs.error());
  if (adopted) (*programs)->prefer(attached);
  auto maps = GuardMaps::over((*programs)->maps());
  if (!maps) return tl::unexpected(maps.error());
  pin_maps(options.pin_directory, (*programs)->maps());
  std::unique_ptr<Enforcement> result(new Enforcement(options, std::move(*programs), std::move(*maps)));
  result->adopted_ = adopted;
  return result;
}

PortHooks Enforcement::hooks_of(const BridgePort& port) const {
  return PortHooks(port.ifindex, port.interface, options_.may_use_tcx);
}

Result<void> Enforcement::look_for_vlans(const SwitchConfig& config) {
  vlans_.clear();
  std::set<uint32_t> filtering;
  for (const auto& link : links_)
    if (link.filters_vlans && switch_of(config, link.name) != nullptr) filtering.insert(link.ifindex);
  if (filtering.empty()) return {};
  const auto found = port_vlans();
  if (!found) return tl::unexpected(found.error());
  for (const auto& link : links_) {
    if (!filtering.contains(link.master)) continue;
    const auto vlans = found->find(link.ifindex);
    vlans_[link.ifindex] = vlans != found->end() ? vlans->second : PortVlans{};
  }
  return {};
}

std::vector<PortStatus> Enforcement::ports_of(const SwitchConfig& config) const {
  std::vector<PortStatus> ports;
  for (const auto& port : ports_among(links_)) {
    const auto* guarded = switch_of(config, port.bridge);
    if (guarded == nullptr) continue;
    PortStatus status;
    status.at = port;
    if (const auto vlans = vlans_.find(port.ifindex); vlans != vlans_.end()) status.at.vlans = vlans->second;
    status.uplink = is_uplink(*guarded, port.interface);
    status.hooks = hooks_of(port).state(programs_->transmit_id(), programs_->receive_id());
    ports.push_back(status);
  }
  return ports;
}

void Enforcement::compare_with_last(std::vector<PortStatus>& now, Findings& findings) {
  for (auto& port : now) {
    const auto last = std::find_if(ports_.begin(), ports_.end(),
                                   [&](const PortStatus& other) { return other.same_port(port); });
    if (last == ports_.end()) {
      findings.push_back({Finding::Kind::port_joined, port.at.interface,
                          port.at.interface + " is a port of " + port.at.bridge});
    } else if (last->hooks.complete() && !port.hooks.complete()) {
      const char* which = port.hooks.transmit ? "receive" : port.hooks.receive ? "transmit" : "both";
      findings.push_back(
          {Finding::Kind::programs_removed, port.at.interface,
           port.at.interface + " lost its programs (" + which +
               "): somebody removed or preceded them; the port is closed until they are back"});
    }
  }
  for (const auto& port : ports_)
    if (std::none_of(now.begin(), now.end(), [&](const PortStatus& other) { return other.same_port(port); }))
      findings.push_back({Finding::Kind::port_left, port.at.interface,
                          port.at.interface + " is no longer a port of " + port.at.bridge});
}

Result<void> Enforcement::write_maps(const SwitchConfig& config, const ClusterNumbers& numbers,
                                     std::vector<PortStatus>& now, Findings& findings) {
  std::vector<BridgePort> present;
  for (const auto& port : now) present.push_back(port.at);
  Policy policy = compile_policy(config, present, numbers);
  for (auto& port : now) {
    const auto value = policy.ports.find(port.at.ifindex);
    port.has_policy = value != policy.ports.end();
    if (port.has_policy && fenced_.contains(port.at.interface)) value->second.flags |= NLB_GUARD_PORT_FENCED;
  }
  if (written_ && !maps_->holds(policy_))
    findings.push_back(
        {Finding::Kind::maps_changed, "", "somebody else wrote to the guard's maps; they are written anew"});
  if (!written_ || !maps_->holds(policy)) {
    if (auto done = maps_->write(policy); !done) return done;
  }
  written_ = true;
  policy_ = std::move(policy);
  return {};
}

// What cannot wait for its turn: ports that no gate closes yet, which are as open as before they were guarded
// until programs stand on them, and those that are open with the programs of an older daemon.
Result<void> Enforcement::attach_at_once(const SwitchConfig& config, std::vector<PortStatus>& now) {
  std::map<std::string, bool> open;
  for (auto& port : now) {
    const auto* guarded = switch_of(config, port.at.bridge);
    if (!port.hooks.complete() && guarded != nullptr && has_gate(*guarded)) {
      if (!open.contains(port.at.bridge)) {
        const auto stands = gate_stands(port.at.bridge);
        if (!stands) return tl::unexpected(stands.error());
        open[port.at.bridge] = !*stands;
      }
      const auto hooks = hooks_of(port.at);
      if (open[port.at.bridge] || !hooks.guard_programs().empty())
        port.hooks = hooks.attach_at_once(programs_->transmit(), programs_->receive());
    }
    port.ready = port.hooks.complete() && port.has_policy;
  }
  return {};
}

bool Enforcement::is_new(const PortStatus& port) const {
  return std::none_of(ports_.begin(), ports_.end(),
                      [&](const PortStatus& other) { return other.same_port(port); });
}

// True when a gate has to be looked at again.
bool Enforcement::attach(const SwitchConfig& config, std::vector<PortStatus>& now, Findings& findings) {
  const auto attached = [&](PortStatus& port) {
    port.hooks = hooks_of(port.at).attach(programs_->transmit(), programs_->receive());
    port.ready = port.hooks.complete() && port.has_policy;
  };
  bool changed = false;
  for (auto& port : now) {
    if (!port.hooks.complete()) {
      attached(port);
      changed = true;
      // Each as soon as it can be: others may take long. What fails is said by put_gates().
      if (const auto* guarded = switch_of(config, port.at.bridge);
          port.ready && guarded != nullptr && has_gate(*guarded))
        static_cast<void>(fill_gate(gate_plan(port.at.bridge, now)));
    }
    if (port.hooks.complete()) {
      complained_.erase(port.at.interface);
    } else if (complained_.insert(port.at.interface).second) {
      findings.push_back({Finding::Kind::port_closed, port.at.interface, port.hooks.obstacle});
    }
  }
  int moves = 0;
  for (auto& port : now) {
    if (!port.hooks.complete()) continue;
    if (hooks_of(port.at).belongs_elsewhere(port.hooks)) {
      if (moves++ < kMovesPerLook) attached(port);
    } else if (port.hooks.kind == HookKind::tcx && is_new(port)) {
      attached(port);  // takes off filters that an earlier daemon left by its death while it moved them
    }
  }
  return changed;
}

Result<void> Enforcement::pin_addresses(const SwitchConfig& config, const Policy& policy) {
  const auto ports = ports_among(links_);
  for (const auto& guarded : config.switches) {
    const auto bridge = std::find_if(links_.begin(), links_.end(),
                                     [&](const Link& link) { return link.name == guarded.bridge; });
    if (bridge == links_.end()) continue;
    const auto table = bridge_table(bridge->ifindex);
    if (!table) return tl::unexpected(table.error().within(guarded.bridge));
    std::set<std::pair<uint32_t, MacAddress>> fixed;
    for (const auto& entry : *table) {
      if (entry.fixed) fixed.insert({entry.ifindex, entry.mac});
      if (!entry.local && policy.never_learned.contains(entry.mac))
        if (auto done = remove_from_table(entry.ifindex, entry.mac); !done) return done;
    }
    for (const auto& [port, mac] : policy.pinned) {
      const auto at = std::find_if(ports.begin(), ports.end(),
                                   [&, index = port](const BridgePort& one) { return one.ifindex == index; });
      if (at == ports.end() || at->bridge != guarded.bridge || fixed.contains({port, mac})) continue;
      // A port that goes meanwhile is met again at the next look.
      static_cast<void>(fix_in_table(port, mac));
    }
  }
  for (const auto& [port, mac] : pinned_)
    if (!policy.pinned.contains({port, mac})) static_cast<void>(remove_from_table(port, mac));
  pinned_ = policy.pinned;
  return {};
}

// A bridge that snoops looks groups up by IP address, and a VIP is none: such frames go to the ports of
// routers alone. A member's port is told to be one. It gets the groups of others by that, as any guest could
// by asking.
Result<void> Enforcement::reach_members(const Policy& policy) {
  if (policy.in_groups.empty() && in_groups_.empty()) return {};
  const auto found = unasked_groups();
  if (!found) return tl::unexpected(found.error());
  for (const auto& [port, sent] : *found) {
    const bool wanted = policy.in_groups.contains(port);
    // A port that goes meanwhile is met again at the next look.
    if (wanted && sent != UnaskedGroups::always)
      static_cast<void>(set_unasked_groups(port, UnaskedGroups::always));
    if (!wanted && in_groups_.contains(port))
      static_cast<void>(set_unasked_groups(port, UnaskedGroups::as_learned));
  }
  in_groups_ = policy.in_groups;
  return {};
}

GatePlan Enforcement::gate_plan(const std::string& bridge, const std::vector<PortStatus>& now) const {
  GatePlan plan{bridge, {}, {}};
  for (const auto& port : now)
    if (port.at.bridge == bridge && port.ready) plan.ready.insert(port.at.ifindex);
  for (const auto& port : ports_among(links_))
    if (port.bridge != bridge) plan.elsewhere.insert(port.ifindex);
  return plan;
}

// Only takes away: ports that were ready and are not as they were left.
Result<void> Enforcement::close_at_gate(const SwitchConfig& config, const std::vector<PortStatus>& now) {
  std::set<std::string> bridges;
  std::vector<PortStatus> still = now;
  for (auto& port : still) {
    const auto last = std::find_if(ports_.begin(), ports_.end(),
                                   [&](const PortStatus& other) { return other.same_port(port); });
    const bool was_ready = last != ports_.end() && last->ready;
    port.ready = was_ready && port.hooks.complete();
    if (was_ready && !port.ready) bridges.insert(port.at.bridge);
  }
  for (const auto& bridge : bridges) {
    const auto* guarded = switch_of(config, bridge);
    if (guarded == nullptr || !has_gate(*guarded)) continue;
    // A gate that is gone too is put back by put_gates, which says so.
    if (auto done = fill_gate(gate_plan(bridge, still)); !done && done.error().code != ENOENT) return done;
  }
  return {};
}

Result<void> Enforcement::put_gates(const SwitchConfig& config, const std::vector<PortStatus>& now,
                                    Findings& findings) {
  std::set<std::string> gated;
  for (const auto& guarded : config.switches) {
    if (!has_gate(guarded)) {
      if (auto done = leave_ungated(guarded.bridge); !done) return done;
      continue;
    }
    const auto plan = gate_plan(guarded.bridge, now);
    const auto in_force = gate_in_force(plan);
    if (!in_force) return tl::unexpected(in_force.error());
    gated.insert(guarded.bridge);
    if (*in_force) continue;
    if (auto filled = fill_gate(plan); filled) {
      const auto mended = gate_in_force(plan);
      if (mended && *mended) continue;
    }
    if (gated_.contains(guarded.bridge))
      findings.push_back(
          {Finding::Kind::gate_removed, guarded.bridge,
           "somebody removed or changed the nftables gate of " + guarded.bridge + "; it was put back"});
    gated_.insert(guarded.bridge);  // before it is, so that it goes also when this look fails
    ungated_.erase(guarded.bridge);
    if (auto done = install_gate(plan); !done) return done;
  }
  for (const auto& bridge : gated_)
    if (!gated.contains(bridge))
      if (auto done = remove_gate(bridge); !done) return done;
  gated_ = std::move(gated);
  return {};
}

// Once: nftables tells its listeners, this daemon among them, of every removal, also where there was nothing.
Result<void> Enforcement::leave_ungated(const std::string& bridge) {
  if (ungated_.contains(bridge)) return {};
  if (auto done = remove_gate(bridge); !done) return done;
  gated_.erase(bridge);
  ungated_.insert(bridge);
  return {};
}

// The flag counts where both programs read it; an interface that is gone, or off its bridge, passes nothing.
Result<void> Enforcement::fence(uint32_t ifindex) {
  if (auto done = maps_->fence(ifindex); !done) return done;
  if (const auto value = policy_.ports.find(ifindex); value != policy_.ports.end())
    value->second.flags |= NLB_GUARD_PORT_FENCED;
  const auto found = links();
  if (!found) return tl::unexpected(found.error());
  const auto link =
      std::find_if(found->begin(), found->end(), [&](const Link& one) { return one.ifindex == ifindex; });
  if (link == found->end() || link->master == 0) return {};
  const auto hooks = hooks_of({ifindex, link->name, ""});
  if (!hooks.state(programs_->transmit_id(), programs_->receive_id()).complete())
    return fail(link->name + " is fenced, and its programs are not in place");
  return {};
}

bool Enforcement::holds_our_maps(const std::vector<uint32_t>& program_ids) const {
  const auto id_of = [](const MapSet& maps) {
    const auto control = maps.find("guard_control");
    return control == maps.end() ? 0U : map_id(control->second.get());
  };
  const MapSet theirs = maps_of_programs(program_ids);
  return id_of(theirs) != 0 && id_of(theirs) == id_of(programs_->maps());
}

// Interfaces that are ports of ours no more, as far as they carry programs over our maps: without a policy
// these would pass nothing. Another daemon's are left alone.
void Enforcement::release_others(const std::vector<PortStatus>& now) {
  for (const auto& link : links_) {
    const bool ours = std::any_of(now.begin(), now.end(),
                                  [&](const PortStatus& port) { return port.at.ifindex == link.ifindex; });
    if (ours) continue;
    const auto hooks = hooks_of({link.ifindex, link.name, ""});
    if (const auto programs = hooks.guard_programs(); !programs.empty() && holds_our_maps(programs))
      hooks.remove();
  }
}

Result<void> Enforcement::release(const SwitchConfig& config) {
  auto found = links();
  if (!found) return tl::unexpected(found.error());
  links_ = std::move(*found);
  for (const auto& guarded : config.switches)
    if (auto done = remove_gate(guarded.bridge); !done) return done;
  std::vector<BridgePort> present;
  for (const auto& port : ports_among(links_))
    if (switch_of(config, port.bridge) != nullptr) present.push_back(port);
  const Policy policy = compile_policy(config, present, {});
  for (const auto& [port, mac] : policy.pinned)
    if (auto done = remove_from_table(port, mac); !done) return done;
  for (const uint32_t port : policy.in_groups)
    static_cast<void>(set_unasked_groups(port, UnaskedGroups::as_learned));
  for (const auto& port : present) hooks_of(port).remove();
  release_others({});
  remove_pins(options_.pin_directory);
  return {};
}

Result<std::vector<Finding>> Enforcement::look_again(const SwitchConfig& config,
                                                     const ClusterNumbers& numbers) {
  const bool was_unfinished = std::exchange(unfinished_, true);
  auto found = links();
  if (!found) return tl::unexpected(found.error());
  const bool same_links = links_ == *found;
  links_ = std::move(*found);
  Findings findings;
  if (auto done = look_for_vlans(config); !done) return tl::unexpected(done.error());
  auto now = ports_of(config);
  compare_with_last(now, findings);
  if (auto done = close_at_gate(config, now); !done) return tl::unexpected(done.error());
  if (auto done = write_maps(config, numbers, now, findings); !done) return tl::unexpected(done.error());
  if (auto done = attach_at_once(config, now); !done) return tl::unexpected(done.error());
  if (auto done = pin_addresses(config, policy_); !done) return tl::unexpected(done.error());
  if (auto done = reach_members(policy_); !done) return tl::unexpected(done.error());
  if (auto done = put_gates(config, now, findings); !done) return tl::unexpected(done.error());
  if (attach(config, now, findings))
    if (auto done = put_gates(config, now, findings); !done) return tl::unexpected(done.error());
  const bool same_ports = std::is_permutation(
      now.begin(), now.end(), ports_.begin(), ports_.end(),
      [](const PortStatus& one, const PortStatus& other) { return one.same_port(other); });
  if (was_unfinished || !same_links || !same_ports) release_others(now);
  ports_ = std::move(now);
  unfinished_ = false;
  return findings;
}

}  // namespace nlb::vmswitch
