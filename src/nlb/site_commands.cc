// SPDX-License-Identifier: Apache-2.0
// nlb switch-config and nlb netcfg: what others have to be told about a cluster, routers and switches there,
// the system's network manager here. Nothing is changed, unless netcfg is given a root directory to write to.
#include <filesystem>
#include <fstream>

#include "linux/adapter.hh"
#include "linux/network_manager.hh"
#include "nlb/cluster_in_question.hh"
#include "nlb/commands.hh"
#include "nlb/json_field.hh"
#include "nlb/network_files.hh"
#include "nlb/output.hh"
#include "nlb/switch_entries.hh"

namespace nlb {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string render_lines(const json& answer, const Style&) {
  std::string out;
  for (const auto& line : list_field(answer, "lines")) out += words(line) + "\n";
  return out;
}

std::string render_files(const json& answer, const Style& style) {
  std::string out;
  for (const auto& file : list_field(answer, "files")) {
    const auto path = field(file, "path"), command = field(file, "command");
    if (!path.empty()) out += style.paint("# " + path, Colour::bold) + "\n";
    out += field(file, "text");
    if (!command.empty()) out += "# then: " + command + "\n";
    if (flag_field(file, "written")) out += "# written\n";
    out += "\n";
  }
  if (const auto message = field(answer, "message"); !message.empty()) out += message + "\n";
  return out;
}

// Which of the managers the command line asks for, or, without it, which one there is.
struct Managers {
  bool networkd = false, network_manager = false, ifupdown = false;
  std::string network_file;
};

Result<Managers> managers_of(const Invocation& invocation, const Config& config) {
  Managers managers;
  managers.network_file = invocation.network_file;
  const auto adapter = read_adapter(config.interface);
  const ManagerFacts facts =
      adapter ? read_managers("/", config.interface, adapter->index, network_place()) : ManagerFacts{};
  const bool find_out = invocation.managers.empty();
  if (find_out && !adapter)
    return fail(adapter.error().message + "; --manager NAME shows a file for another machine", kFailed);
  managers.networkd = find_out && facts.networkd;
  managers.network_manager = find_out && facts.network_manager;
  for (const auto& name : invocation.managers) {
    managers.networkd = managers.networkd || name == "networkd";
    managers.network_manager = managers.network_manager || name == "networkmanager";
    managers.ifupdown = managers.ifupdown || name == "ifupdown";
  }
  if (managers.network_file.empty())
    managers.network_file = fs::path(facts.networkd_file).filename().string();
  if (managers.networkd && managers.network_file.empty())
    return fail("networkd does not manage " + config.interface +
                    " now, so its .network file is not known; name it: --network-file NAME.network",
                kUsage);
  if (managers.networkd &&
      (managers.network_file.find('/') != std::string::npos || !managers.network_file.ends_with(".network")))
    return fail("--network-file " + managers.network_file + ": allowed: the name of a .network file", kUsage);
  return managers;
}

Result<void> write_under(const fs::path& root, const NetworkFile& file) {
  const fs::path path = root / fs::path(file.path).relative_path();
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream stream(path);
  stream << file.text;
  stream.close();
  if (stream) return {};
  return fail(path.string() + ": cannot be written", kFailed);
}

}  // namespace

int run_switch_config(const Invocation& invocation, const Style& style) {
  const auto config = cluster_in_question(invocation);
  if (!config) return print_failure(invocation, config.error());
  const SwitchSite site{invocation.vlan == 0 ? "" : std::to_string(invocation.vlan), invocation.words,
                        invocation.interfaces.empty() ? "" : invocation.interfaces.front()};
  const json answer = {
      {"schema", 1}, {"vendor", invocation.name}, {"lines", switch_entries(invocation.name, *config, site)}};
  return print_answer(invocation, style, answer, render_lines);
}

int run_netcfg(const Invocation& invocation, const Style& style) {
  const auto config = cluster_in_question(invocation);
  if (!config) return print_failure(invocation, config.error());
  const auto managers = managers_of(invocation, *config);
  if (!managers) return print_failure(invocation, managers.error());
  std::vector<NetworkFile> files;
  if (managers->networkd) files.push_back(networkd_file(*config, managers->network_file));
  if (managers->network_manager) files.push_back(network_manager_file(*config));
  if (managers->ifupdown) files.push_back(ifupdown_file(*config));
  json answer = {{"schema", 1}, {"interface", config->interface}, {"files", json::array()}};
  for (const auto& file : files) {
    const bool write = invocation.write && !file.path.empty();
    const fs::path root = invocation.file.empty() ? "/" : invocation.file;
    if (const auto written = write ? write_under(root, file) : Result<void>{}; !written)
      return print_failure(invocation, written.error());
    answer["files"].push_back(
        {{"path", file.path}, {"text", file.text}, {"command", file.command}, {"written", write}});
  }
  if (files.empty())
    answer["message"] = "Neither systemd-networkd nor NetworkManager manages " + config->interface +
                        ": nothing is needed. --manager shows a file all the same.";
  return print_answer(invocation, style, answer, render_files);
}

}  // namespace nlb
