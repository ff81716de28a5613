// SPDX-License-Identifier: Apache-2.0
// A machine is handed over by its manager's hook when it starts, and taken back when it ends. The hook may
// refuse a start, so what is wrong is refused here, before anything changes; a machine that runs already
// (`keep`: the manager was restarted) is taken as far as its definition can be followed.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "nlbd/answer.hh"
#include "vmswitch/port_table.hh"
#include "vmswitch/switch_daemon.hh"

namespace nlb::vmswitch {
namespace {

using Json = nlohmann::json;

// An interface belongs to the machine that its manager named last: one that kept it is gone.
void take_interfaces(const GuestMachine& machine, std::vector<ConfigText>& guests) {
  for (auto& text : guests) {
    auto other = read_guest_machine(text);
    if (other.name == machine.name) continue;
    const auto taken = std::erase_if(other.adapters, [&](const GuestAdapter& theirs) {
      return std::any_of(machine.adapters.begin(), machine.adapters.end(), [&](const GuestAdapter& ours) {
        return !ours.interface().empty() && ours.interface() == theirs.interface();
      });
    });
    if (taken != 0) text.text = other.adapters.empty() ? "" : other.text();
  }
}

void lay_text(std::vector<ConfigText>& guests, const ConfigText& fresh) {
  const auto found = std::find_if(guests.begin(), guests.end(),
                                  [&](const ConfigText& text) { return text.path == fresh.path; });
  if (found == guests.end())
    guests.push_back(fresh);
  else
    found->text = fresh.text;
  std::erase_if(guests, [](const ConfigText& text) { return text.text.empty(); });
}

const GuestPort* port_of(const SwitchConfig& config, const GuestAdapter& adapter) {
  const auto found = std::find_if(config.ports.begin(), config.ports.end(), [&](const GuestPort& port) {
    return port.vm == adapter.vm && port.adapter == adapter.adapter && port.refused.empty();
  });
  return found == config.ports.end() ? nullptr : &*found;
}

// A file that gives the adapter another interface or MAC than the machine has would guard something else.
std::string difference(const GuestAdapter& adapter, const GuestPort& port) {
  const auto mac = MacAddress::parse(text_at(adapter.table, "mac"));
  const auto differs = [&](const char* key, const std::string& declared, const std::string& has) {
    return port.title() + " has " + key + " " + has + ", the configuration says " + declared +
           "; allowed: the same, or no " + key + " there";
  };
  if (!adapter.interface().empty() && port.interface != adapter.interface())
    return differs("interface", port.interface, adapter.interface());
  if (mac && port.mac != *mac) return differs("mac", port.mac.text(), mac->text());
  return "";
}

std::vector<std::string> complaints_about(const GuestMachine& machine, const SwitchConfig& config) {
  std::vector<std::string> found;
  for (const auto& complaint : config.complaints)
    if (complaint.vm == machine.name) found.push_back(complaint.text);
  for (const auto& adapter : machine.adapters)
    if (const auto* port = port_of(config, adapter); port != nullptr)
      if (const auto text = difference(adapter, *port); !text.empty()) found.push_back(text);
  return found;
}

std::string lines(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : "\n") + text;
  return out;
}

std::string what_it_got(const GuestMachine& machine, const SwitchConfig& config) {
  std::string text;
  for (const auto& adapter : machine.adapters)
    if (const auto* port = port_of(config, adapter); port != nullptr)
      text += (text.empty() ? " " : ", ") + adapter.adapter + " at " + port->interface +
              " with MAC spoofing " + name_of(port->mac_spoofing);
  return machine.name + " runs:" + (text.empty() ? " no adapter on a guarded bridge" : text);
}

}  // namespace

// File first: if this daemon ends here, the next one finds it.
Json SwitchDaemon::keep(const GuestMachine& machine, const std::string& text, SwitchTexts texts,
                        SwitchConfig config) {
  const std::string path = guest_path(paths_.runtime_directory, machine.name);
  const auto before = std::find_if(texts_.guests.begin(), texts_.guests.end(),
                                   [&](const ConfigText& one) { return one.path == path; });
  const std::string old_text = before == texts_.guests.end() ? "" : before->text;
  const auto others = texts_.guests;
  if (auto kept = keep_guest_file(paths_.runtime_directory, machine.name, text); !kept)
    return failure(kept.error().message, 1);
  if (auto done = use(texts, std::move(config)); !done) {
    if (auto restored = keep_guest_file(paths_.runtime_directory, machine.name, old_text); !restored)
      return failure(done.error().message + "; and " + restored.error().message, 1);
    return failure("nothing was changed: " + done.error().message, 1);
  }
  for (const auto& other : others) {  // those that lost an interface to this machine
    const auto now = std::find_if(texts_.guests.begin(), texts_.guests.end(),
                                  [&](const ConfigText& one) { return one.path == other.path; });
    const std::string now_text = now == texts_.guests.end() ? "" : now->text;
    if (other.path == path || now_text == other.text) continue;
    const auto name = read_guest_machine(other).name;
    static_cast<void>(keep_guest_file(paths_.runtime_directory, name, now_text));
  }
  return {{"schema", 1}};
}

bool SwitchDaemon::has_arrived(const GuestAdapter& adapter) {
  const auto* status = status_of(adapter.interface());
  return status != nullptr && enforcement_->maps().has_sent(status->at.ifindex);
}

bool SwitchDaemon::has_incoming() {
  const std::lock_guard lock(mutex_);
  return std::any_of(config_.ports.begin(), config_.ports.end(),
                     [](const GuestPort& port) { return port.incoming; });
}

void SwitchDaemon::watch_incoming() {
  const std::lock_guard lock(mutex_);
  const auto guests = texts_.guests;
  for (const auto& file : guests) {
    auto machine = read_guest_machine(file);
    bool arrived = false;
    for (auto& adapter : machine.adapters)
      if (adapter.incoming && has_arrived(adapter)) arrived = true;
    if (!arrived) continue;
    for (auto& adapter : machine.adapters) adapter.incoming = false;
    expect(machine.name, false);
    SwitchTexts texts = texts_;
    const std::string text = machine.text();
    lay_text(texts.guests, {file.path, text});
    auto config = parse_switch_config(texts);
    if (!config) continue;
    const auto kept = keep(machine, text, std::move(texts), std::move(*config));
    events_.add(EventId::guest_attached,
                kept.contains("error") ? kept["error"]["message"].get<std::string>()
                                       : machine.name + " came from another host",
                {{"vm", machine.name}});
  }
  events_.write_lines();
}

Json SwitchDaemon::attach(const Json& request) {
  const std::string vm = request.value("vm", ""), path = guest_path(paths_.runtime_directory, vm);
  if (!is_vm_name(vm)) return failure("vm is \"" + vm + "\", which is no name of a machine", 2);
  auto machine = read_guest_machine({path, request.value("text", "")});
  if (!machine.problems.empty()) return failure(lines(machine.problems), 2);
  if (machine.adapters.empty()) return detach(request);
  for (auto& adapter : machine.adapters) adapter.incoming = expected_.contains(vm) && !has_arrived(adapter);
  const ConfigText file{path, machine.text()};
  SwitchTexts texts = texts_;
  take_interfaces(machine, texts.guests);
  lay_text(texts.guests, file);
  auto config = parse_switch_config(texts);
  if (!config) return failure(text_of(config.error()), 1);
  const auto complaints = complaints_about(machine, *config);
  if (!complaints.empty() && !request.value("keep", false)) return failure(lines(complaints), 2);
  const std::string got = what_it_got(machine, *config);
  Json answer = {{"schema", 1}, {"message", got}, {"problems", complaints}};
  const bool same = std::any_of(texts_.guests.begin(), texts_.guests.end(), [&](const ConfigText& one) {
    return one.path == file.path && one.text == file.text;
  });
  if (request.value("incoming", false)) expect(vm, true);
  if (request.value("try", false) || same) return answer;
  if (auto kept = keep(machine, file.text, std::move(texts), std::move(*config)); kept.contains("error"))
    return kept;
  events_.add(EventId::guest_attached, got, {{"vm", vm}});
  return answer;
}

Json SwitchDaemon::detach(const Json& request) {
  const std::string vm = request.value("vm", "");
  if (!is_vm_name(vm)) return failure("vm is \"" + vm + "\", which is no name of a machine", 2);
  const Json answer = {{"schema", 1}, {"message", vm + " does not run"}, {"problems", Json::array()}};
  expect(vm, false);
  SwitchTexts texts = texts_;
  const std::string path = guest_path(paths_.runtime_directory, vm);
  if (std::erase_if(texts.guests, [&](const ConfigText& one) { return one.path == path; }) == 0)
    return answer;
  auto config = parse_switch_config(texts);
  if (!config) return failure(text_of(config.error()), 1);
  if (auto kept = keep({vm, {}, {}}, "", std::move(texts), std::move(*config)); kept.contains("error"))
    return kept;
  events_.add(EventId::guest_detached, vm + " does not run any more", {{"vm", vm}});
  return answer;
}

}  // namespace nlb::vmswitch
