// SPDX-License-Identifier: Apache-2.0
#include "datapath/pins.hh"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "datapath/program_pins.hh"

namespace nlb {
namespace {

namespace fs = std::filesystem;
constexpr const char* kUsualMount = "/sys/fs/bpf";

bool on_bpffs(const fs::path& path) {
  struct statfs about {};
  return statfs(path.c_str(), &about) == 0 && about.f_type == BPF_FS_MAGIC;
}

fs::path nearest_existing(fs::path path) {
  std::error_code ignored;
  while (!path.empty() && path != path.root_path() && !fs::exists(path, ignored)) path = path.parent_path();
  return path;
}

std::vector<std::string> map_names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    if (is_shared_map(name)) names.push_back(name);
  }
  return names;
}

}  // namespace

std::string pin_directory_of(const std::string& runtime_directory) {
  std::string name = fs::absolute(runtime_directory).lexically_normal().string();
  while (!name.empty() && name.back() == '/') name.pop_back();
  name.erase(0, name.find_first_not_of('/'));
  std::replace(name.begin(), name.end(), '/', '-');
  return std::string(kUsualMount) + "/opennlb/" + name;
}

bool make_pin_directory(const std::string& directory) {
  if (directory.empty()) return false;
  const bool usual = directory.starts_with(std::string(kUsualMount) + "/");
  if (usual && !on_bpffs(nearest_existing(directory)) && fs::exists(kUsualMount)) {
    if (mount("bpf", kUsualMount, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") != 0) return false;
  }
  std::error_code error;
  if (!on_bpffs(nearest_existing(directory))) return false;
  fs::create_directories(directory, error);
  return !error;
}

Result<void> hand_over_pins(const std::string& directory, uint32_t user, uint32_t group) {
  const auto failed = [&](const char* what) {
    return fail(directory + ": " + what + ": " + std::strerror(errno), errno);
  };
  if (!make_pin_directory(directory)) return failed("cannot be made on a bpf file system");
  if (chown(directory.c_str(), user, group) != 0 || chmod(directory.c_str(), 0700) != 0)
    return failed("cannot be given to the daemon's user");
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    if (lchown(at->path().c_str(), user, group) != 0) return failed("its pins cannot be given away");
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
    return failed("no mount namespace");
  const FileDescriptor tree(open_tree(AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree) return failed("cannot be mounted apart");
  if (mount("opennlb", kUsualMount, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=64k") != 0)
    return failed("cannot be shown alone");
  fs::create_directories(directory, error);
  if (move_mount(tree.get(), "", AT_FDCWD, directory.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return failed("cannot be shown alone");
  return {};
}

MapSet pinned_maps(const std::string& directory) {
  MapSet maps;
  for (const std::string& name : map_names_in(directory)) {
    FileDescriptor fd(bpf_obj_get((fs::path(directory) / name).c_str()));
    if (fd) maps.emplace(name, std::move(fd));
  }
  return maps;
}

void pin_maps(const std::string& directory, const MapSet& maps) {
  if (!make_pin_directory(directory)) return;
  std::error_code ignored;
  for (const auto& [name, fd] : maps) {
    const fs::path place = fs::path(directory) / name;
    fs::remove(place, ignored);
    static_cast<void>(bpf_obj_pin(fd.get(), place.c_str()));
  }
}

void remove_pins(const std::string& directory) {
  if (directory.empty() || !on_bpffs(directory)) return;
  std::error_code ignored;
  for (const std::string& name : map_names_in(directory)) fs::remove(fs::path(directory) / name, ignored);
  unpin_programs_but(directory, {});
  fs::remove(directory, ignored);  // only when empty
}

}  // namespace nlb
