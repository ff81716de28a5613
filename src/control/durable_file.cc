// SPDX-License-Identifier: Apache-2.0
#include "control/durable_file.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "control/descriptor.hh"

namespace nlb {
namespace {

tl::unexpected<Error> failed(const std::string& path) {
  const int code = errno;
  return fail(path + ": cannot be written: " + std::strerror(code), code);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

Result<void> write_beside(const std::string& path, std::string_view text, const std::string& like) {
  ::unlink(path.c_str());  // what an earlier attempt left, or a link that somebody put there
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!file.ok()) return failed(path);
  struct stat status {};
  if (!like.empty() && ::stat(like.c_str(), &status) == 0) {
    // Where this user may not give files away, the file is his: he could read and replace the former one.
    [[maybe_unused]] const int given = ::fchown(file.get(), status.st_uid, status.st_gid);
    if (::fchmod(file.get(), status.st_mode & 07777) != 0) return failed(path);
  }
  if (!write_all(file.get(), text) || ::fsync(file.get()) != 0) {
    auto error = failed(path);
    ::unlink(path.c_str());
    return error;
  }
  return {};
}

Result<void> put_in_place(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return failed(to);
  const auto directory = std::filesystem::path(to).parent_path();
  const Descriptor parent(
      ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.ok()) (void)::fsync(parent.get());
  return {};
}

Result<void> write_durably(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  if (auto written = write_beside(fresh, text); !written) return written;
  return put_in_place(fresh, path);
}

}  // namespace nlb
