// SPDX-License-Identifier: Apache-2.0
#include "nlbd/user_change.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "datapath/pins.hh"

namespace nlb {
namespace {

namespace fs = std::filesystem;

// What an earlier daemon of root's left there goes with the directory. Links are not followed: after the
// first start the directory is the user's to fill.
Result<void> give(const std::string& directory, const Account& account) {
  const auto failed = [&](const std::string& path) {
    return fail(path + ": cannot be given to the daemon's user: " + std::strerror(errno), errno);
  };
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return fail(directory + ": " + error.message(), error.value());
  if (chown(directory.c_str(), account.user, account.group) != 0) return failed(directory);
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    struct stat status {};
    if (lstat(at->path().c_str(), &status) != 0 || S_ISDIR(status.st_mode) || status.st_nlink > 1) continue;
    if (status.st_uid == 0 && lchown(at->path().c_str(), account.user, account.group) != 0)
      return failed(at->path());
  }
  return {};
}

}  // namespace

Result<void> change_user(const Account& account, const DaemonPaths& paths) {
  if (geteuid() == account.user) return {};
  for (const std::string& directory : {paths.runtime_directory, paths.state_directory})
    if (auto given = give(directory, account); !given) return given;
  if (auto pins = hand_over_pins(pin_directory_of(paths.runtime_directory), account.user, account.group);
      !pins)
    return pins;
  return become(account, nlbd_needs());
}

}  // namespace nlb
