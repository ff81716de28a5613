// SPDX-License-Identifier: Apache-2.0
// Answers on the control socket (docs/control.md). State is looked at anew for each, never remembered: what
// is shown is what is in force now.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "control/config_json.hh"
#include "nlbd/answer.hh"
#include "vmswitch/config_agreement.hh"
#include "vmswitch/switch_daemon.hh"

namespace nlb::vmswitch {
namespace {

using Json = nlohmann::json;

template <typename T>
Json texts(const std::vector<T>& values) {
  auto list = Json::array();
  for (const auto& value : values) list.push_back(value.text());
  return list;
}

std::string node_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

Json nothing_known(const std::string& interface) {
  return {{"interface", interface}, {"present", false}, {"state", "absent"}};
}

}  // namespace

const PortStatus* SwitchDaemon::status_of(const std::string& interface) const {
  const auto& ports = enforcement_->ports();
  const auto found = std::find_if(ports.begin(), ports.end(),
                                  [&](const PortStatus& port) { return port.at.interface == interface; });
  return found == ports.end() ? nullptr : &*found;
}

// What is declared and cannot be so as things are.
std::vector<std::string> SwitchDaemon::problems() const {
  std::vector<std::string> found;
  const auto& links = enforcement_->links_now();
  const auto exists = [&](const std::string& name) {
    return std::any_of(links.begin(), links.end(), [&](const Link& link) { return link.name == name; });
  };
  for (const auto& guarded : config_.switches)
    if (!exists(guarded.bridge)) found.push_back("bridge " + guarded.bridge + " does not exist yet");
  for (const auto& port : config_.ports)
    if (status_of(port.interface) == nullptr && exists(port.interface))
      found.push_back(port.interface + " of " + port.title() +
                      " exists but is no port of a guarded bridge: it is not guarded");
  for (const auto& guarded : config_.switches)
    for (const auto& uplink : guarded.uplinks)
      if (const auto* status = status_of(uplink);
          exists(uplink) && (status == nullptr || status->at.bridge != guarded.bridge))
        found.push_back("uplink " + uplink + " exists but is no port of " + guarded.bridge);
  return found;
}

// fenced: it went down and others were told that its member is gone: nothing, until that has begun anew ·
// guarded: it passes what its policy allows · closed: nothing · down: shut since a violation · audit · open:
// anything (an unknown port that is allowed) · absent
void SwitchDaemon::add_kernel_state(Json& port, const PortStatus* status) const {
  port.update(nothing_known(port["interface"]));
  if (status == nullptr) return;
  const uint32_t ifindex = status->at.ifindex;
  const auto policy = enforcement_->maps().port(ifindex);
  const auto state = enforcement_->maps().state(ifindex);
  const bool audit = policy && (policy->flags & NLB_GUARD_PORT_AUDIT) != 0;
  const bool down = policy && state && policy->violation == NLB_GUARD_VIOLATION_SHUTDOWN && !audit &&
                    state->down_ns > policy->recovered_ns;
  const bool fenced = policy && (policy->flags & NLB_GUARD_PORT_FENCED) != 0;
  port["present"] = true;
  port["ifindex"] = ifindex;
  port["bridge"] = status->at.bridge;
  port["hook"] = name_of(status->hooks.kind);
  port["state"] = audit && status->hooks.complete() ? "audit"
                  : !status->ready                  ? "closed"
                  : down                            ? "down"
                  : fenced                          ? "fenced"
                                                    : "guarded";
  if (!status->hooks.obstacle.empty()) port["obstacle"] = status->hooks.obstacle;
  port["learned"] = texts(enforcement_->maps().learned(ifindex));
  if (fencing_.follows(ifindex)) port["fenced"] = fenced;
  if (steering_->follows(ifindex)) port["steering"] = steering_json(ifindex);
  if (policy && (policy->flags & NLB_GUARD_PORT_DIRECTS) != 0) port["directing"] = directing_json(ifindex);
}

// Of what came in here for clusters.
Json SwitchDaemon::directing_json(uint32_t ifindex) const {
  const auto count = [&](uint16_t reason) {
    return enforcement_->maps().packets(ifindex, NLB_GUARD_TRANSMIT, reason);
  };
  return {{"directed", count(NLB_GUARD_REASON_directed)},
          {"steered_away", count(NLB_GUARD_REASON_steered_away)}};
}

Json SwitchDaemon::steering_json(uint32_t ifindex) const {
  const auto why = steering_->why_flooded(ifindex);
  Json json = {{"generation", steering_->in_force(ifindex)}, {"flooded_because", why}};
  const std::pair<const char*, uint16_t> counted[] = {{"steered", NLB_GUARD_REASON_steered},
                                                      {"replicated", NLB_GUARD_REASON_replicated},
                                                      {"flooded", NLB_GUARD_REASON_flooded},
                                                      {"steered_away", NLB_GUARD_REASON_steered_away}};
  for (const auto& [name, reason] : counted)
    json[name] = enforcement_->maps().packets(ifindex, NLB_GUARD_RECEIVE, reason);
  return json;
}

Json SwitchDaemon::guest_json(const GuestPort& port, TapHolders& holders) const {
  const auto running = run_state(port, config_, enforcement_->links_now(), holders);
  Json json = {{"vm", port.vm},
               {"adapter", port.adapter},
               {"interface", port.interface},
               {"role", "guest"},
               {"running", running.running},
               {"running_because", running.evidence},
               {"mac", port.mac.text()},
               {"addresses", port.addresses_given ? texts(port.addresses) : Json(nullptr)},
               {"addresses_checked", port.addresses_given},
               {"mac_spoofing", name_of(port.mac_spoofing)},
               {"cluster", port.cluster},
               {"host_id", port.host_id},
               {"vlan", port.vlan},
               {"dhcp_guard", port.dhcp_guard},
               {"router_guard", port.router_guard},
               {"storm_limit_pps", port.storm_limit_pps},
               {"max_macs", port.max_macs},
               {"sticky", port.sticky},
               {"violation", name_of(port.violation)},
               {"recover_s", port.recover_s},
               {"source", port.source}};
  add_kernel_state(json, status_of(port.interface));
  if (!port.refused.empty()) json["obstacle"] = port.refused;
  if (port.incoming) json["incoming"] = true;
  return json;
}

Json SwitchDaemon::unknown_json(const PortStatus& status) const {
  Json json = {{"interface", status.at.interface}, {"role", status.uplink ? "uplink" : "unknown"}};
  add_kernel_state(json, &status);
  return json;
}

Json SwitchDaemon::switch_json(const GuardedSwitch& guarded, TapHolders& holders) const {
  Json json = {{"bridge", guarded.bridge},
               {"uplinks", guarded.uplinks},
               {"unknown_ports", name_of(guarded.unknown_ports)},
               {"require_stopped", guarded.require_stopped},
               {"policy", name_of(guarded.policy)},
               {"announce", guarded.announce},
               {"steering", guarded.steering},
               {"fence_notice", guarded.fence_notice},
               {"warnings", Json::array()},
               {"ports", Json::array()}};
  if (guarded.unknown_ports == UnknownPorts::allow)
    json["warnings"].push_back(
        "unknown_ports = \"allow\": guest ports that no [[port]] names may use any address "
        "that is nobody else's");
  if (guarded.policy == SwitchPolicy::audit)
    json["warnings"].push_back("policy = \"audit\": violations are counted and reported, nothing is dropped");
  for (const auto& status : enforcement_->ports()) {
    if (status.at.bridge != guarded.bridge) continue;
    const auto* guest = config_.port_on(status.at.interface);
    Json port = guest != nullptr && !status.uplink ? guest_json(*guest, holders) : unknown_json(status);
    if (port["role"] == "unknown" && guarded.unknown_ports == UnknownPorts::allow && status.ready)
      port["state"] = "open";
    json["ports"].push_back(std::move(port));
  }
  return json;
}

Json SwitchDaemon::show() {
  TapHolders holders;
  Json answer = {{"schema", 1},
                 {"file", paths_.config},
                 {"version", NLB_VERSION},
                 {"switches", Json::array()},
                 {"absent", Json::array()},
                 {"waiting", Json::array()},
                 {"problems", problems()},
                 {"events_lost", enforcement_->maps().events_lost()}};
  for (const auto& guarded : config_.switches) answer["switches"].push_back(switch_json(guarded, holders));
  for (const auto& port : config_.ports)
    if (status_of(port.interface) == nullptr) answer["absent"].push_back(guest_json(port, holders));
  for (const auto& port : config_.waiting) answer["waiting"].push_back(port.title());
  for (const auto& complaint : config_.complaints) answer["problems"].push_back(complaint.text);
  return answer;
}

Json SwitchDaemon::cluster_json(const DeclaredCluster& cluster) const {
  Json json = {{"name", cluster.name},        {"type", name_of(cluster.type)},   {"vlan", cluster.vlan},
               {"vips", texts(cluster.vips)}, {"macs", texts(macs_of(cluster))}, {"members", Json::array()}};
  if (cluster.type == ClusterType::nlb) {
    json["mode"] = nlb::name_of(cluster.mode);
    json["hosts"] = Json::array();
    for_each_host(cluster.hosts, [&](HostId id) { json["hosts"].push_back(id); });
  }
  if (cluster.vrid != 0) json["vrid"] = cluster.vrid;
  for (const auto& port : config_.ports) {
    if (port.cluster != cluster.name) continue;
    const auto* status = status_of(port.interface);
    json["members"].push_back({{"vm", port.vm},
                               {"adapter", port.adapter},
                               {"interface", port.interface},
                               {"host_id", port.host_id},
                               {"mac_spoofing", name_of(port.mac_spoofing)},
                               {"member", port.mac_spoofing != MacSpoofing::off},
                               {"present", status != nullptr},
                               {"ready", status != nullptr && status->ready}});
  }
  return json;
}

Json SwitchDaemon::clusters() {
  Json answer = {{"schema", 1}, {"clusters", Json::array()}};
  for (const auto& cluster : config_.clusters) answer["clusters"].push_back(cluster_json(cluster));
  return answer;
}

Json SwitchDaemon::answer(const Json& request, const Peer& peer) {
  const std::string command = request.value("command", "");
  const bool changes = command == "set" || command == "reload" || command == "attach" || command == "detach";
  if (changes && !peer.may(Role::admin)) return failure(refusal_of(command, Role::admin, peer), 4);
  if (changes) events_.add(EventId::commanded, "`" + command + "` by " + peer.text());
  if (command == "reload") {
    auto done = reload();
    if (!done) return failure(done.error().message, done.error().code == 2 ? 2 : 1);
    return {{"schema", 1}, {"message", "Configuration reloaded."}};
  }
  if (command == "version")
    return {
        {"schema", 1}, {"version", NLB_VERSION}, {"node", node_name()}, {"role", nlb::name_of(peer.role)}};
  const std::lock_guard lock(mutex_);
  if (command == "events") {
    Json answer = {{"schema", 1}};
    const auto limit = std::clamp<uint64_t>(request.value("limit", uint64_t{100}), 1, 1000);
    answer.update(events_.since(request.value("log", ""), request.value("after", uint64_t{0}),
                                request.contains("after"), limit));
    return answer;
  }
  if (auto looked = look_again(); !looked)
    return failure("the policy is not in force as a whole: " + looked.error().message, 1);
  if (command == "set") return set(request);
  if (command == "attach") return attach(request);
  if (command == "detach") return detach(request);
  if (command == "show") return show();
  if (command == "clusters") return clusters();
  if (command == "violations") {
    read_events();
    read_counters();
    return {{"schema", 1}, {"violations", violations_.json()}};
  }
  return failure("unknown command \"" + command + "\"", 2);
}

}  // namespace nlb::vmswitch
