// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/override_file.hh"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "control/toml_document.hh"
#include "datapath/file_descriptor.hh"

namespace nlb::vmswitch {
namespace {

// Texts of these files are names and addresses: without control characters, which the reader refuses.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string value_text(const TomlNode& node) {
  switch (node.kind) {
    case TomlNode::Kind::text:
      return quoted(node.text);
    case TomlNode::Kind::integer:
      return std::to_string(node.integer);
    case TomlNode::Kind::boolean:
      return node.integer != 0 ? "true" : "false";
    case TomlNode::Kind::array: {
      std::string list;
      for (const auto& item : node.items) list += (list.empty() ? "" : ", ") + value_text(item);
      return "[" + list + "]";
    }
    default:
      return "";
  }
}

TomlNode text_node(const std::string& key, const std::string& text) {
  TomlNode node;
  node.kind = TomlNode::Kind::text;
  node.key = key;
  node.text = text;
  return node;
}

void put(TomlNode& table, const TomlNode& value) {
  const auto found = std::find_if(table.items.begin(), table.items.end(),
                                  [&](const TomlNode& item) { return item.key == value.key; });
  if (found == table.items.end())
    table.items.push_back(value);
  else
    *found = value;
}

std::string text_at(const TomlNode& table, const char* key) {
  const auto* node = table.find(key);
  return node != nullptr ? node->text : "";
}

// vm and adapter first, as a person would write it.
std::string port_text(const TomlNode& table) {
  std::string text = "\n[[port]]\n";
  for (const char* key : {"vm", "adapter"})
    if (const auto* node = table.find(key)) text += std::string(key) + " = " + value_text(*node) + "\n";
  for (const auto& item : table.items)
    if (item.key != "vm" && item.key != "adapter") text += item.key + " = " + value_text(item) + "\n";
  return text;
}

}  // namespace

Result<std::string> with_change(const std::string& text, const SpoofingChange& change) {
  const auto document = parse_toml(text);
  if (!document)
    return fail("line " + std::to_string(document.error().line) + ": " + document.error().message);
  std::vector<TomlNode> tables;
  if (const auto* ports = document->find("port")) tables = ports->items;
  auto table = std::find_if(tables.begin(), tables.end(),
                            [&](const TomlNode& one) { return text_at(one, "adapter") == change.adapter; });
  // The only adapter of a VM may have been written without its name.
  if (table == tables.end() && tables.size() == 1 && tables.front().find("adapter") == nullptr)
    table = tables.begin();
  if (table == tables.end()) {
    tables.emplace_back().kind = TomlNode::Kind::table;
    table = tables.end() - 1;
    put(*table, text_node("vm", change.vm));
    if (!change.adapter.empty()) put(*table, text_node("adapter", change.adapter));
  }
  put(*table, text_node("mac_spoofing", name_of(change.mac_spoofing)));
  // Limits on sources belong to "on": beside another setting the file would be refused.
  if (change.mac_spoofing != MacSpoofing::on)
    std::erase_if(table->items,
                  [](const TomlNode& item) { return item.key == "max_macs" || item.key == "sticky"; });
  // A host id is a place in one cluster, and means nothing in another.
  if (change.cluster && text_at(*table, "cluster") != *change.cluster)
    std::erase_if(table->items, [](const TomlNode& item) { return item.key == "host_id"; });
  if (change.cluster) put(*table, text_node("cluster", *change.cluster));
  if (change.host_id) {
    TomlNode number;
    number.kind = TomlNode::Kind::integer;
    number.key = "host_id";
    number.integer = *change.host_id;
    put(*table, number);
  }
  std::string out = "# Written by `nlb vmswitch set`; wins over vmswitch.toml, key by key.\n";
  for (const auto& one : tables) out += port_text(one);
  return out;
}

std::string override_path(const std::string& config_path, const std::string& vm) {
  return overrides_directory(config_path) + "/" + vm + ".toml";
}

Result<void> write_atomically(const std::string& path, const std::string& text) {
  const std::filesystem::path target(path);
  std::error_code error;
  std::filesystem::create_directories(target.parent_path(), error);
  const std::string temporary = (target.parent_path() / ("." + target.filename().string() + ".new")).string();
  const auto failed = [&](const char* what) {
    const int code = errno;
    ::unlink(temporary.c_str());
    return fail(path + ": cannot be " + what + ": " + std::strerror(code), code);
  };
  const FileDescriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file) return failed("written");
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(file.get(), text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return failed("written");
    done += static_cast<std::size_t>(wrote);
  }
  if (::fsync(file.get()) != 0) return failed("written");
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return failed("replaced");
  const FileDescriptor directory(::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) ::fsync(directory.get());
  return {};
}

}  // namespace nlb::vmswitch
