// SPDX-License-Identifier: Apache-2.0
#include "linux/bind_memory.hh"

#include <fcntl.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace nlb {
namespace {

constexpr std::string_view kSysctlKey = "sysctl ";

std::string file_of(const std::string& directory, const std::string& interface) {
  return directory + "/adapter-" + interface + ".state";
}

tl::unexpected<Error> failed(const std::string& what, const std::string& file, int error) {
  return fail("cannot " + what + " " + file + ": " + std::strerror(error), error);
}

// This boot's and this adapter's: "6f1c… 3".
std::string incarnation(const std::string& interface) {
  std::string boot_id;
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::getline(in, boot_id);
  return boot_id + " " + std::to_string(if_nametoindex(interface.c_str()));
}

std::string text_of(const std::string& interface, const BindMemory& memory) {
  std::string text = "# What the adapter was before the cluster was bound to it; read when it is unbound.\n";
  text += "incarnation=" + incarnation(interface) + "\n";
  if (!memory.cluster_mac.is_zero())
    text += "cluster_mac=" + memory.cluster_mac.text() + "\nformer_mac=" + memory.former_mac.text() + "\n";
  for (const auto& [path, value] : memory.former_sysctls)
    text += std::string(kSysctlKey) + path + "=" + value + "\n";
  return text;
}

Result<void> write_synced(const std::string& file, const std::string& text) {
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed("write", file, errno);
  const ssize_t put = write(fd, text.data(), text.size());
  const bool good = put == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (!good) return failed("write", file, put < 0 ? error : ENOSPC);
  return {};
}

}  // namespace

std::optional<std::string> BindMemory::former_sysctl(const std::string& path) const {
  for (const auto& setting : former_sysctls)
    if (setting.path == path) return setting.value;
  return std::nullopt;
}

Result<BindMemory> load_bind_memory(const std::string& directory, const std::string& interface) {
  BindMemory memory;
  if (directory.empty()) return memory;
  const std::string file = file_of(directory, interface);
  std::ifstream in(file);
  if (!in) {
    if (errno == ENOENT || errno == ENOTDIR) return memory;
    return failed("read", file, errno);
  }
  for (std::string line; std::getline(in, line);) {
    const auto equals = line.find('=');
    if (equals == std::string::npos || line.front() == '#') continue;
    const std::string key = line.substr(0, equals), value = line.substr(equals + 1);
    if (key == "incarnation" && value != incarnation(interface)) return BindMemory{};
    if (key == "cluster_mac") memory.cluster_mac = MacAddress::parse(value).value_or(MacAddress{});
    if (key == "former_mac") memory.former_mac = MacAddress::parse(value).value_or(MacAddress{});
    // Only the interface's own switches: whoever could write the file shall not write other sysctls through
    // us.
    const bool ours =
        key.find("/conf/" + interface + "/") != std::string::npos && key.find("..") == std::string::npos;
    if (key.starts_with(kSysctlKey) && ours)
      memory.former_sysctls.push_back({key.substr(kSysctlKey.size()), value});
  }
  return memory;
}

Result<void> save_bind_memory(const std::string& directory, const std::string& interface,
                              const BindMemory& memory) {
  if (directory.empty()) return {};
  const std::string file = file_of(directory, interface);
  if (memory.empty()) {
    if (unlink(file.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR)
      return failed("remove", file, errno);
    return {};
  }
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return failed("make", directory, error.value());
  const std::string fresh = file + ".new";
  if (auto written = write_synced(fresh, text_of(interface, memory)); !written) return written;
  if (rename(fresh.c_str(), file.c_str()) != 0) return failed("write", file, errno);
  return {};
}

}  // namespace nlb
