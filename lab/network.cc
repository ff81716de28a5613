// SPDX-License-Identifier: Apache-2.0
// A named namespace is a file below /run/netns; a process is in it when the inode of its own is the same.
#include "lab/network.hh"

#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace nlb::lab {
namespace {

const std::string kDirectory = "/run/netns";

std::string path_of(const std::string& name) {
  return kDirectory + "/" + name;
}

bool is_name_with_number(const std::string& name, const std::string& prefix) {
  return name.size() > prefix.size() && name.starts_with(prefix) &&
         std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()), name.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

// Enters a namespace and comes back when it goes out of scope.
class Visit {
 public:
  explicit Visit(const std::string& name) : home_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    entered_ = home_ < 0 ? fail("cannot open the own network namespace", errno) : enter_network(name);
  }
  ~Visit() {
    if (home_ < 0) return;
    if (entered_) setns(home_, CLONE_NEWNET);
    close(home_);
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  [[nodiscard]] const Result<void>& entered() const { return entered_; }

 private:
  int home_;
  Result<void> entered_;
};

}  // namespace

Result<void> enter_network(const std::string& name) {
  const int file = open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return fail(fmt::format("network namespace {}: {}; is the lab up?", name, std::strerror(errno)), errno);
  const int result = setns(file, CLONE_NEWNET);
  const int error = errno;
  close(file);
  if (result != 0) return fail(fmt::format("network namespace {}: {}", name, std::strerror(error)), error);
  return {};
}

bool network_exists(const std::string& name) {
  return std::filesystem::exists(path_of(name));
}

bool is_lab_network(const std::string& name) {
  return name == "nlb-switch" || name == "nlb-gateway" || is_name_with_number(name, "nlb-host") ||
         is_name_with_number(name, "nlb-client");
}

std::vector<std::string> lab_networks() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory, error)) {
    if (is_lab_network(entry.path().filename().string())) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<ProcessId> processes_in(const std::vector<std::string>& networks) {
  std::vector<ino_t> inodes;
  for (const auto& name : networks) {
    struct stat status {};
    if (stat(path_of(name).c_str(), &status) == 0) inodes.push_back(status.st_ino);
  }
  std::vector<ProcessId> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const pid_t pid = static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10));
    if (pid <= 0 || pid == getpid()) continue;
    struct stat status {};
    if (stat((entry.path() / "ns/net").c_str(), &status) != 0) continue;
    if (std::find(inodes.begin(), inodes.end(), status.st_ino) == inodes.end()) continue;
    if (auto ticks = start_ticks(pid)) found.push_back({pid, *ticks});
  }
  return found;
}

void remove_network(const std::string& name) {
  umount2(path_of(name).c_str(), MNT_DETACH);
  unlink(path_of(name).c_str());
}

Result<void> write_sysctls(const std::string& network,
                           const std::vector<std::pair<std::string, std::string>>& values) {
  const Visit visit(network);
  if (!visit.entered()) return visit.entered();
  for (const auto& [name, value] : values) {
    std::ofstream file("/proc/sys/" + name);
    file << value << std::flush;
    if (!file) return fail(fmt::format("{}: cannot set {} to {}", network, name, value));
  }
  return {};
}

}  // namespace nlb::lab
