// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/guest_machine.hh"

#include <algorithm>
#include <array>
#include <filesystem>

#include "control/config_text.hh"
#include "vmswitch/override_file.hh"
#include "vmswitch/port_table.hh"

namespace nlb::vmswitch {
namespace {

namespace fs = std::filesystem;

// Keys of the file that are no settings.
constexpr std::array<const char*, 4> kOwnKeys = {"bridge", "element", "refused", "incoming"};
// What lifts or tightens nothing.
constexpr std::array<const char*, 5> kIdentity = {"vm", "adapter", "interface", "mac", "vlan"};

template <std::size_t N>
bool is_one_of(const std::array<const char*, N>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// Lines mean nothing in a file that no person wrote.
void forget_lines(TomlNode& node) {
  node.line = 0;
  for (auto& item : node.items) forget_lines(item);
}

GuestAdapter adapter_of(TomlNode table) {
  GuestAdapter result;
  forget_lines(table);
  result.vm = text_at(table, "vm");
  result.adapter = text_at(table, "adapter");
  result.bridge = text_at(table, "bridge");
  result.element = text_at(table, "element");
  result.refused = text_at(table, "refused");
  const auto* incoming = table.find("incoming");
  result.incoming = incoming != nullptr && incoming->integer != 0;
  std::erase_if(table.items, [](const TomlNode& item) { return is_one_of(kOwnKeys, item.key); });
  result.table = std::move(table);
  return result;
}

}  // namespace

std::string GuestAdapter::interface() const {
  return text_at(table, "interface");
}

bool GuestAdapter::has_settings() const {
  return std::any_of(table.items.begin(), table.items.end(),
                     [](const TomlNode& item) { return !is_one_of(kIdentity, item.key); });
}

std::string GuestMachine::text() const {
  std::string out = "# Written when the machine started; gone when it ends.\n";
  for (const auto& adapter : adapters) {
    TomlNode table = adapter.table;
    if (!adapter.bridge.empty()) put(table, text_node("bridge", adapter.bridge));
    if (!adapter.element.empty()) put(table, text_node("element", adapter.element));
    if (!adapter.refused.empty()) put(table, text_node("refused", adapter.refused));
    if (adapter.incoming) put(table, flag_node("incoming", true));
    out += port_text(table);
  }
  return out;
}

GuestMachine read_guest_machine(const ConfigText& file) {
  GuestMachine machine;
  machine.name = fs::path(file.path).stem().string();
  auto document = parse_toml(file.text);
  const auto* ports = document ? document->find("port") : nullptr;
  if (!document) machine.problems.push_back(file.path + " cannot be read: " + document.error().message);
  if (ports == nullptr) return machine;
  for (const auto& table : ports->items) {
    auto adapter = adapter_of(table);
    if (table.kind == TomlNode::Kind::table && adapter.vm == machine.name)
      machine.adapters.push_back(std::move(adapter));
    else
      machine.problems.push_back(file.path + " holds more than the adapters of " + machine.name);
  }
  return machine;
}

std::string guests_directory(const std::string& runtime_directory) {
  return runtime_directory + "/guests.d";
}

std::string guest_path(const std::string& runtime_directory, const std::string& vm) {
  return guests_directory(runtime_directory) + "/" + vm + ".toml";
}

std::vector<ConfigText> read_guest_files(const std::string& runtime_directory) {
  struct Found {
    fs::file_time_type written;
    std::string path;
    auto operator<=>(const Found&) const = default;
  };
  std::vector<Found> found;
  std::error_code error;
  for (fs::directory_iterator at(guests_directory(runtime_directory), error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    if (at->path().extension() == ".toml" && !at->path().filename().string().starts_with("."))
      found.push_back({fs::last_write_time(at->path(), gone), at->path().string()});
  }
  std::sort(found.begin(), found.end());
  std::vector<ConfigText> texts;
  for (const auto& one : found)
    if (auto text = read_config_text(one.path)) texts.push_back({one.path, std::move(*text)});
  return texts;
}

Result<void> keep_guest_file(const std::string& runtime_directory, const std::string& vm,
                             const std::string& text) {
  const std::string path = guest_path(runtime_directory, vm);
  if (!text.empty()) return write_atomically(path, text);
  std::error_code error;
  fs::remove(path, error);
  if (error) return fail(path + ": cannot be removed: " + error.message(), error.value());
  return {};
}

}  // namespace nlb::vmswitch
