// SPDX-License-Identifier: Apache-2.0
// `nlb vmswitch set`: tries the whole configuration with the change before it writes, and puts the file back
// when the kernel refuses. As with Hyper-V, the property changes only while the machine is stopped, so that
// its guest system meets one truth from its first frame to its last.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/config_section.hh"
#include "nlbd/answer.hh"
#include "vmswitch/machine_definition.hh"
#include "vmswitch/switch_daemon.hh"

namespace nlb::vmswitch {
namespace {

using Json = nlohmann::json;

std::vector<const GuestPort*> adapters_of(const SwitchConfig& config, const std::string& vm,
                                          const std::string& adapter) {
  std::vector<const GuestPort*> found;
  for (const auto& port : config.ports)
    if (port.vm == vm && (adapter.empty() || port.adapter == adapter)) found.push_back(&port);
  return found;
}

std::string titles(const std::vector<const GuestPort*>& ports) {
  std::vector<std::string> names;
  for (const auto* port : ports) names.push_back(port->title());
  return joined(names);
}

std::string no_such_port(const SwitchConfig& config, const std::string& vm, const std::string& adapter) {
  if (const auto others = adapters_of(config, vm, ""); !others.empty())
    return vm + " has no adapter \"" + adapter + "\"; there is " + titles(others);
  std::vector<std::string> names;
  for (const auto& port : config.ports)
    if (std::find(names.begin(), names.end(), port.vm) == names.end()) names.push_back(port.vm);
  return "no [[port]] has vm \"" + vm + "\"" +
         (names.empty() ? "; none is declared" : "; nearest: \"" + nearest(vm, names) + "\"");
}

// A machine that does not run, as if it had been handed over.
SwitchConfigResult config_with(const GuestMachine& machine, SwitchTexts texts) {
  texts.guests.push_back({machine.name + ".toml", machine.text()});
  return parse_switch_config(texts);
}

std::string complaints_of(const GuestMachine& machine, const SwitchTexts& texts) {
  const auto config = config_with(machine, texts);
  if (!config) return text_of(config.error());
  std::string said;
  for (const auto& complaint : config->complaints)
    if (complaint.vm == machine.name) said += (said.empty() ? "" : "\n") + complaint.text;
  return said;
}

std::string must_be_stopped(const GuestPort& port, const RunState& state) {
  return port.title() + " runs (" + state.evidence +
         "). \"Enable spoofing of MAC address\" changes only while the VM is stopped: stop " + port.vm +
         ", run this command again, start " + port.vm +
         "; or add --live, which takes effect at once and is recorded";
}

std::string setting_of(const GuestPort& port) {
  std::string text = name_of(port.mac_spoofing);
  if (port.mac_spoofing != MacSpoofing::cluster) return text;
  text += " (" + port.cluster;
  if (port.host_id != 0) text += ", host id " + std::to_string(port.host_id);
  return text + ")";
}

}  // namespace

// Whoever changed it, and by which way: `set`, an edited file and a reload, or a machine's definition. A
// change while the machine runs is on record.
void SwitchDaemon::tell_spoofing_changes(const SwitchConfig& before) {
  for (const auto& port : config_.ports) {
    const auto former = std::find_if(before.ports.begin(), before.ports.end(), [&](const GuestPort& one) {
      return one.vm == port.vm && one.adapter == port.adapter;
    });
    if (former == before.ports.end() || setting_of(*former) == setting_of(port)) continue;
    const auto state = run_state(port, config_, enforcement_->links_now());
    events_.add(state.running ? EventId::spoofing_changed_live : EventId::spoofing_changed,
                "\"Enable spoofing of MAC address\" of " + port.title() + " is " + setting_of(port) +
                    ", it was " + setting_of(*former) + ", by " + port.source +
                    (state.running ? "; changed live (" + state.evidence + ")" : ""),
                {{"vm", port.vm}, {"adapter", port.adapter}, {"mac_spoofing", name_of(port.mac_spoofing)}});
  }
}

Json SwitchDaemon::set(const Json& request) {
  SpoofingChange wanted;
  wanted.vm = request.value("vm", "");
  wanted.adapter = request.value("adapter", "");
  const auto spoofing = enum_named<MacSpoofing>(
      request.value("mac_spoofing", ""),
      {{"off", MacSpoofing::off}, {"cluster", MacSpoofing::cluster}, {"on", MacSpoofing::on}});
  if (!spoofing) return failure("mac_spoofing is missing; allowed: \"off\", \"cluster\" or \"on\"", 2);
  wanted.mac_spoofing = *spoofing;
  if (request.contains("cluster")) wanted.cluster = request["cluster"].get<std::string>();
  if (request.contains("host_id")) {
    const int id = request["host_id"].get<int>();
    if (id < 1 || id > static_cast<int>(kMaxHosts))
      return failure("host_id is " + std::to_string(id) + "; allowed: 1..64", 2);
    wanted.host_id = static_cast<HostId>(id);
  }
  auto ports = adapters_of(config_, wanted.vm, wanted.adapter);
  SwitchConfig with_stopped;
  std::optional<GuestMachine> stopped;
  if (adapters_of(config_, wanted.vm, "").empty()) stopped = defined_machine(wanted.vm);
  if (stopped) {
    with_stopped = config_with(*stopped, texts_).value_or(SwitchConfig{});
    ports = adapters_of(with_stopped, wanted.vm, wanted.adapter);
  }
  if (ports.empty())
    return failure(no_such_port(stopped ? with_stopped : config_, wanted.vm, wanted.adapter), 2);
  if (ports.size() > 1) return failure(wanted.vm + " has several adapters, name one: " + titles(ports), 2);
  const GuestPort port = *ports.front();
  wanted.adapter = port.adapter;
  return change(wanted, port, stopped, request.value("live", false));
}

Json SwitchDaemon::change(const SpoofingChange& wanted, const GuestPort& port,
                          const std::optional<GuestMachine>& stopped, bool live) {
  const auto* status = status_of(port.interface);
  const auto* guarded = status != nullptr ? switch_of(config_, status->at.bridge) : nullptr;
  const bool stop_first = guarded == nullptr || guarded->require_stopped;
  const auto state = run_state(port, config_, enforcement_->links_now());
  if (state.running && stop_first && !live) return failure(must_be_stopped(port, state), 1);

  const std::string path = override_path(paths_.config, wanted.vm);
  auto texts = read_switch_texts(paths_.config);
  if (!texts) return failure(text_of(texts.error()), 1);
  texts->guests = texts_.guests;
  auto& overrides = texts->overrides;
  auto mine = std::find_if(overrides.begin(), overrides.end(),
                           [&](const ConfigText& text) { return text.path == path; });
  const bool was_there = mine != overrides.end();
  const std::string before = was_there ? mine->text : "";
  auto text = with_change(before, wanted);
  if (!text) return failure(path + ": " + text.error().message, 1);
  if (was_there)
    mine->text = *text;
  else
    overrides.push_back({path, *text});
  auto fresh = parse_switch_config(*texts);
  if (!fresh) return failure("nothing was changed: " + text_of(fresh.error()), 2);
  if (const auto said = stopped ? complaints_of(*stopped, *texts) : ""; !said.empty())
    return failure("nothing was changed: " + said, 2);
  if (auto done = write_atomically(path, *text); !done) return failure(done.error().message, 1);
  if (auto done = use(std::move(*texts), std::move(*fresh)); !done) {
    std::error_code ignored;
    if (!was_there)
      std::filesystem::remove(path, ignored);
    else if (auto restored = write_atomically(path, before); !restored)
      return failure(done.error().message + "; and " + restored.error().message, 1);
    return failure("nothing was changed: " + done.error().message, 1);
  }
  const std::string what = "\"Enable spoofing of MAC address\" of " + port.title() + " is " +
                           name_of(wanted.mac_spoofing) + ", it was " + name_of(port.mac_spoofing);
  const bool was_live = state.running;
  return {{"schema", 1},
          {"message", what + (was_live ? ". Changed while it runs; this is recorded." : ".")},
          {"source", path},
          {"live", was_live}};
}

}  // namespace nlb::vmswitch
