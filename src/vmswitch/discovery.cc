// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/discovery.hh"

#include <algorithm>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/net.hh"
#include "control/config_values.hh"
#include "vmswitch/override_file.hh"
#include "vmswitch/port_table.hh"
#include "vmswitch/proxmox_machine.hh"
#include "vmswitch/switch_config.hh"

namespace nlb::vmswitch {
namespace {

namespace fs = std::filesystem;

struct FoundAdapter {
  std::string vm, adapter, interface, mac, bridge;
  uint16_t vlan = 0;
};

struct Found {
  std::vector<FoundAdapter> adapters;
  std::vector<std::string> notes;
};

std::vector<fs::path> files_in(const std::string& directory, const char* extension) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == extension) paths.push_back(at->path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

void keep(Found& found, const FoundAdapter& adapter) {
  if (!is_vm_name(adapter.vm) || !MacAddress::parse(adapter.mac) || !is_interface_name(adapter.bridge)) {
    found.notes.push_back(adapter.vm + "/" + adapter.adapter +
                          " is left out: its name, MAC address or bridge cannot be read");
    return;
  }
  found.adapters.push_back(adapter);
}

// <interface type='bridge'><mac address=…/><source bridge=…/><target dev=…/></interface>. Names vnetN are
// given anew at each start of a machine, so they name nothing for good.
void read_libvirt(const fs::path& path, Found& found) {
  namespace tree = boost::property_tree;
  tree::ptree document;
  try {
    tree::read_xml(path.string(), document);
  } catch (const tree::xml_parser_error&) {
    found.notes.push_back(path.string() + " is no XML that can be read");
    return;
  }
  const auto vm = document.get<std::string>("domain.name", path.stem().string());
  const auto devices = document.get_child_optional("domain.devices");
  if (!devices) return;
  int number = 0;
  for (const auto& [tag, device] : *devices) {
    if (tag != "interface") continue;
    FoundAdapter adapter;
    adapter.vm = vm;
    adapter.adapter = "net" + std::to_string(number++);
    adapter.mac = device.get<std::string>("mac.<xmlattr>.address", "");
    adapter.bridge = device.get<std::string>("source.<xmlattr>.bridge", "");
    adapter.interface = device.get<std::string>("target.<xmlattr>.dev", "");
    if (adapter.bridge.empty()) continue;  // user networking, macvtap: no port of a bridge of ours
    if (adapter.interface.starts_with("vnet")) adapter.interface.clear();
    keep(found, adapter);
  }
}

void read_proxmox(const std::string& id, const std::string& root, Found& found) {
  const auto machine = read_proxmox_machine(id, root);
  if (!machine) return found.notes.push_back(machine.error().message);
  for (const auto& adapter : machine->adapters) {
    const auto* vlan = adapter.table.find("vlan");
    keep(found, {adapter.vm, adapter.adapter, adapter.interface(), text_at(adapter.table, "mac"),
                 adapter.bridge, static_cast<uint16_t>(vlan != nullptr ? vlan->integer : 0)});
  }
}

// Ports with a device behind them (a PCI function, say) are the way out; guests' have none.
std::string uplinks_of(const std::string& root, const std::string& bridge) {
  std::string list;
  std::error_code error;
  std::set<std::string> names;
  for (fs::directory_iterator at(root + "/sys/class/net/" + bridge + "/brif", error), end;
       !error && at != end; at.increment(error)) {
    const auto name = at->path().filename().string();
    std::error_code ignored;
    if (fs::exists(root + "/sys/class/net/" + name + "/device", ignored)) names.insert(name);
  }
  for (const auto& name : names) list += (list.empty() ? "\"" : ", \"") + name + "\"";
  return "[" + list + "]";
}

std::string port_text(const FoundAdapter& adapter, bool only_one) {
  const bool nameless = adapter.interface.empty();
  const std::string mark = nameless ? "# " : "";
  std::string text;
  if (nameless)
    text +=
        "# The interface has another name at each start. Give it one in the machine's definition, for "
        "example\n"
        "# <target dev=\"tap-" +
        adapter.vm.substr(0, 9) + "\"/>, and name it here.\n";
  text += mark + "[[port]]\n" + mark + "vm = \"" + adapter.vm + "\"\n";
  if (!only_one) text += mark + "adapter = \"" + adapter.adapter + "\"\n";
  text += mark + "interface = \"" + adapter.interface + "\"\n" + mark + "mac = \"" +
          MacAddress::parse(adapter.mac)->text() + "\"\n";
  if (adapter.vlan != 0) text += mark + "vlan = " + std::to_string(adapter.vlan) + "\n";
  return text + "\n";
}

}  // namespace

Discovery discover(const std::string& root) {
  Found found;
  for (const auto& path : files_in(root + "/etc/libvirt/qemu", ".xml")) read_libvirt(path, found);
  for (const auto& path : files_in(root + "/etc/pve/qemu-server", ".conf"))
    read_proxmox(path.stem().string(), root, found);
  std::set<std::string> bridges;
  std::map<std::string, int> adapters_of_vm;
  for (const auto& adapter : found.adapters) {
    bridges.insert(adapter.bridge);
    ++adapters_of_vm[adapter.vm];
  }
  Discovery result;
  result.text =
      "# Found by `nlb vmswitch discover`. Policy \"audit\" counts and reports what \"enforce\" would "
      "drop.\n\n";
  for (const auto& bridge : bridges)
    result.text += "[[switch]]\nbridge = \"" + bridge + "\"\nuplinks = " + uplinks_of(root, bridge) +
                   "\npolicy = \"audit\"\n\n";
  for (const auto& adapter : found.adapters) {
    result.text += port_text(adapter, adapters_of_vm[adapter.vm] == 1);
    if (!adapter.interface.empty())
      ++result.ports;
    else
      found.notes.push_back(adapter.vm + "/" + adapter.adapter +
                            " has no lasting interface name; see the comment");
  }
  if (found.adapters.empty())
    found.notes.emplace_back(
        "neither libvirt (/etc/libvirt/qemu) nor Proxmox (/etc/pve/qemu-server) has a machine "
        "with an adapter on a bridge here");
  result.notes = std::move(found.notes);
  return result;
}

Result<void> write_new_file(const std::string& path, const std::string& text) {
  std::error_code ignored;
  if (fs::exists(path, ignored))
    return fail(path + " is there already and is not written over; name another file with --file", EEXIST);
  if (auto read = parse_switch_config({path, text}, {}); !read)
    return fail("what was found is no good configuration: " + text_of(read.error()));
  return write_atomically(path, text);
}

}  // namespace nlb::vmswitch
