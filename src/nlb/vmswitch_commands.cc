// SPDX-License-Identifier: Apache-2.0
#include "nlb/vmswitch_commands.hh"

#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>

#include "control/control.hh"
#include "nlb/commands.hh"
#include "nlb/machine_hook.hh"
#include "nlb/output.hh"
#include "nlb/render.hh"
#include "nlb/render_vmswitch.hh"
#include "vmswitch/discovery.hh"
#include "vmswitch/override_file.hh"

namespace nlb {
namespace {

using nlohmann::json;

constexpr const char* kUsualSocket = "/run/opennlb/vmswitch/control.sock";
constexpr const char* kUsualConfig = "/etc/opennlb/vmswitch.toml";
constexpr const char* kPrefix = "vmswitch ";

std::string socket_path(const Invocation& invocation) {
  if (!invocation.socket.empty()) return invocation.socket;
  const char* named = std::getenv("NLB_VMSWITCH_SOCKET");  // `nlb lab exec` sets it
  return named != nullptr ? named : kUsualSocket;
}

// The control client speaks of nlbd; here another daemon is missing.
Error explained(const Error& error, const std::string& path) {
  if (error.code != kNoDaemon) return error;
  return {
      path +
          ": nlb-vmswitch does not answer there; it answers only while its policy is in force. Is it running "
          "(systemctl status nlb-vmswitch), and is this its --runtime-dir?",
      kNoDaemon};
}

// A file that is there is somebody's work: it is not written over.
int discover(const Invocation& invocation, const Style& style) {
  const auto found = vmswitch::discover("");
  json answer = {{"schema", 1}, {"text", found.text}, {"ports", found.ports}, {"notes", found.notes}};
  if (invocation.write) {
    const std::string path = invocation.file.empty() ? kUsualConfig : invocation.file;
    if (found.ports == 0)
      return print_failure(
          invocation, {"no virtual machine of libvirt or Proxmox was found; nothing was written", kFailed});
    if (auto written = vmswitch::write_new_file(path, found.text); !written)
      return print_failure(invocation, {written.error().message, kFailed});
    answer["file"] = path;
  }
  return print_answer(invocation, style, answer, render_discovery);
}

// Standard output stays empty: of "migrate" and "restore" libvirt would read the domain's XML from it.
int run_hook(const Invocation& invocation, const std::string& command) {
  const HookCall call{invocation.words, socket_path(invocation), ""};
  std::vector<std::string> notes;
  Result<void> done;
  if (command == "libvirt-hook") {
    const std::string xml{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
    done = run_libvirt_hook(call, xml, notes);
  } else {
    done = run_proxmox_hook(call, notes);
  }
  for (const auto& note : notes) std::cerr << "nlb: " << note << "\n";
  return done ? kDone : print_failure(invocation, {done.error().message, kFailed});
}

Renderer renderer_of(const std::string& command) {
  static const std::map<std::string, Renderer> renderers = {
      {"show", render_switches}, {"clusters", render_clusters}, {"violations", render_violations}};
  const auto found = renderers.find(command);
  return found == renderers.end() ? render_action : found->second;
}

}  // namespace

int run_vmswitch(const Invocation& invocation, const Style& style) {
  const std::string command = invocation.command.substr(std::string_view(kPrefix).size());
  if (command == "discover") return discover(invocation, style);
  if (command.ends_with("-hook")) return run_hook(invocation, command);
  const auto path = socket_path(invocation);
  if (command == "events") {
    Invocation events = invocation;
    events.command = command;
    events.socket = path;
    return run_remote(events, style);
  }
  const auto answer = ask(path, invocation.request, 60000);  // a thousand ports may be set up anew
  if (!answer) return print_failure(invocation, explained(answer.error(), path));
  return print_answer(invocation, style, *answer, renderer_of(command));
}

}  // namespace nlb
