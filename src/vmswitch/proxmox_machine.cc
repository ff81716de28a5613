// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/proxmox_machine.hh"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/net.hh"
#include "control/config_values.hh"
#include "vmswitch/port_table.hh"

namespace nlb::vmswitch {
namespace {

namespace fs = std::filesystem;

// "KEY: VALUE" lines; snapshots follow in [NAME].
std::vector<std::pair<std::string, std::string>> lines_of(const fs::path& path) {
  std::vector<std::pair<std::string, std::string>> found;
  std::ifstream lines(path);
  for (std::string line; std::getline(lines, line) && !line.starts_with("[");) {
    const auto colon = line.find(": ");
    if (colon != std::string::npos) found.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return found;
}

std::string name_in(const fs::path& path) {
  for (const auto& [key, value] : lines_of(path))
    if (key == "name" && is_vm_name(value)) return value;
  return "";
}

// Proxmox lets two machines have one name; one that is not unique names neither.
std::string unique_name(const fs::path& mine) {
  const auto name = name_in(mine);
  std::error_code error;
  for (fs::directory_iterator at(mine.parent_path(), error), end; !error && at != end; at.increment(error))
    if (at->path() != mine && at->path().extension() == ".conf" && name_in(at->path()) == name) return "";
  return name;
}

// "net0: virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=7"
std::map<std::string, std::string> options_of(const std::string& line) {
  std::map<std::string, std::string> options;
  std::istringstream words(line);
  for (std::string word; std::getline(words, word, ',');) {
    const auto equals = word.find('=');
    if (equals != std::string::npos) options[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return options;
}

// The first option's name is the adapter's model, its value the MAC. With the firewall the tap is on a bridge
// of its own, and a port fwpr…p… stands for it on the bridge that is named.
GuestAdapter adapter_of(const std::string& id, const std::string& vm, const std::string& key,
                        const std::string& value) {
  const auto options = options_of(value);
  const auto option = [&](const char* name) {
    const auto it = options.find(name);
    return it == options.end() ? std::string() : it->second;
  };
  const std::string number = key.substr(3);
  GuestAdapter adapter;
  adapter.vm = vm;
  adapter.adapter = key;
  adapter.bridge = option("bridge");
  adapter.element = "Proxmox VM " + id + ", " + key;
  adapter.table.kind = TomlNode::Kind::table;
  put(adapter.table, text_node("vm", vm));
  put(adapter.table, text_node("adapter", key));
  put(adapter.table, text_node("interface", option("firewall") == "1" ? "fwpr" + id + "p" + number
                                                                      : "tap" + id + "i" + number));
  for (const auto& [name, text] : options)
    if (const auto mac = MacAddress::parse(text)) put(adapter.table, text_node("mac", mac->text()));
  if (const auto vlan = parse_number(option("tag"), 4094)) put(adapter.table, number_node("vlan", *vlan));
  return adapter;
}

}  // namespace

Result<GuestMachine> read_proxmox_machine(const std::string& id, const std::string& root) {
  const fs::path path = root + "/etc/pve/qemu-server/" + id + ".conf";
  std::error_code error;
  if (!parse_number(id, 999'999'999) || !fs::is_regular_file(path, error))
    return fail("there is no machine " + id + " in " + path.parent_path().string(), ENOENT);
  GuestMachine machine;
  machine.name = unique_name(path);
  if (machine.name.empty()) machine.name = id;
  for (const auto& [key, value] : lines_of(path))
    if (key.starts_with("net") && parse_number(key.substr(3), 31)) {
      auto adapter = adapter_of(id, machine.name, key, value);
      if (!adapter.bridge.empty()) machine.adapters.push_back(std::move(adapter));
    }
  return machine;
}

}  // namespace nlb::vmswitch
