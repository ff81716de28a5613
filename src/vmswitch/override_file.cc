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
#include "vmswitch/port_table.hh"

namespace nlb::vmswitch {

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
  if (change.host_id) put(*table, number_node("host_id", *change.host_id));
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
