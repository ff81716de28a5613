// SPDX-License-Identifier: Apache-2.0
#include "nlb/machine_hook.hh"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/control.hh"
#include "nlb/invocation.hh"
#include "vmswitch/guest_machine.hh"
#include "vmswitch/libvirt_domain.hh"
#include "vmswitch/proxmox_machine.hh"

namespace nlb {
namespace {

using nlohmann::json;
using vmswitch::GuestMachine;

std::string runtime_directory_of(const std::string& socket) {
  return std::filesystem::path(socket).parent_path().string();
}

void note_all(const json& answer, std::vector<std::string>& notes) {
  for (const auto& problem : answer.value("problems", json::array()))
    notes.push_back(problem.get<std::string>());
}

Result<void> hand_over(const HookCall& call, HookStep step, const GuestMachine& machine,
                       std::vector<std::string>& notes) {
  const bool detach = step == HookStep::detach || machine.adapters.empty();
  json request = {{"command", detach ? "detach" : "attach"}, {"vm", machine.name}};
  const std::string text = detach ? "" : machine.text();
  const bool early = step == HookStep::check || step == HookStep::expect;
  if (!detach)
    request.update({{"text", text},
                    {"try", early},
                    {"incoming", step == HookStep::expect},
                    {"keep", step == HookStep::keep}});
  if (detach && early) return {};
  const auto answer = ask(call.socket, request);
  if (answer) {
    note_all(*answer, notes);
    return {};
  }
  if (answer.error().code != kNoDaemon) return tl::unexpected(answer.error());
  if (early) return {};
  if (!detach)
    notes.push_back("nlb-vmswitch does not answer; the ports of " + machine.name +
                    " get their policy when it does");
  return vmswitch::keep_guest_file(runtime_directory_of(call.socket), machine.name, text);
}

// Only a start may be refused: anything else has happened already.
Result<void> judged(HookStep step, Result<void> done, std::vector<std::string>& notes) {
  if (done || step == HookStep::check || step == HookStep::expect || step == HookStep::attach) return done;
  notes.push_back(done.error().message);
  return {};
}

}  // namespace

// "prepare" comes before the machine has interfaces, "start" when it has them and QEMU does not run yet,
// "started" when QEMU runs. "migrate" and "restore" are the first that is heard of an incoming machine;
// "prepare" and the others follow. "reconnect": libvirt was restarted, the machine runs.
HookStep libvirt_step(const std::string& operation, const std::string& suboperation) {
  if (suboperation == "begin") {
    if (operation == "prepare" || operation == "restore") return HookStep::check;
    if (operation == "migrate") return HookStep::expect;
    if (operation == "start" || operation == "started") return HookStep::attach;
    if (operation == "reconnect") return HookStep::keep;
  }
  if (suboperation == "end" && (operation == "stopped" || operation == "release")) return HookStep::detach;
  return HookStep::ignore;
}

// The names of interfaces are known before there are any.
HookStep proxmox_step(const std::string& phase) {
  if (phase == "pre-start") return HookStep::attach;
  if (phase == "post-start") return HookStep::keep;
  return phase == "post-stop" ? HookStep::detach : HookStep::ignore;
}

Result<void> run_libvirt_hook(const HookCall& call, const std::string& xml, std::vector<std::string>& notes) {
  if (call.words.size() < 3) return fail("libvirt-hook needs DOMAIN OPERATION SUBOPERATION", kUsage);
  const auto step = libvirt_step(call.words[1], call.words[2]);
  if (step == HookStep::ignore) return {};
  if (step == HookStep::detach && vmswitch::is_vm_name(call.words[0]))
    return judged(step, hand_over(call, step, {call.words[0], {}, {}}, notes), notes);
  const auto machine = vmswitch::read_libvirt_domain(xml);
  if (!machine) return judged(step, tl::unexpected(machine.error()), notes);
  if (!vmswitch::is_vm_name(machine->name)) {
    notes.push_back("libvirt domain \"" + machine->name +
                    "\" has a name that cannot be one here; its ports are unknown_ports");
    return {};
  }
  return judged(step, hand_over(call, step, *machine, notes), notes);
}

Result<void> run_proxmox_hook(const HookCall& call, std::vector<std::string>& notes) {
  if (call.words.size() < 2) return fail("proxmox-hook needs VMID PHASE", kUsage);
  const auto step = proxmox_step(call.words[1]);
  if (step == HookStep::ignore) return {};
  const auto machine = vmswitch::read_proxmox_machine(call.words[0], call.root);
  if (!machine) return judged(step, tl::unexpected(machine.error()), notes);
  return judged(step, hand_over(call, step, *machine, notes), notes);
}

}  // namespace nlb
