// SPDX-License-Identifier: Apache-2.0
#include "control/secret_file.hh"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "control/descriptor.hh"

namespace nlb {
namespace {

constexpr std::size_t kMaxBytes = 64 * 1024;

Error system_error(const std::string& what) {
  const int code = errno;
  return {what + ": " + std::strerror(code), code};
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

Result<void> check(const struct stat& status, SecretOwner owner) {
  if (!S_ISREG(status.st_mode)) return fail("not a regular file; allowed: a file made by \"nlb keygen\"");
  const bool believed = status.st_uid == 0 || status.st_uid == ::geteuid() ||
                        (owner == SecretOwner::any_to_root && ::geteuid() == 0);
  if (!believed)
    return fail("owned by user id " + std::to_string(status.st_uid) +
                "; allowed: root or the daemon's user (" + std::to_string(::geteuid()) + ")");
  if ((status.st_mode & 077) != 0)
    return fail("mode " + octal(status.st_mode) +
                " lets others read the secret; allowed: 0600 or 0400 (chmod 600)");
  if (static_cast<std::size_t>(status.st_size) > kMaxBytes) return fail("larger than 64 KiB; not a key file");
  return {};
}

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return tl::unexpected(system_error("cannot be written"));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) return tl::unexpected(system_error("cannot be written to disk"));
  return {};
}

// So that the new name, too, survives a power cut. Some file systems cannot; that is no error.
void sync_directory_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const Descriptor directory(
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.ok()) ::fsync(directory.get());
}

Result<void> fill(const std::string& temporary, const SecretText& text, const FileAttributes& attributes) {
  const Descriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.ok()) return tl::unexpected(system_error("cannot be created"));
  if (::fchown(file.get(), attributes.owner, attributes.group) != 0)
    return tl::unexpected(system_error("cannot be given the old file's owner"));
  if (::fchmod(file.get(), attributes.mode) != 0)
    return tl::unexpected(system_error("cannot be given the old file's mode"));
  return write_all(file.get(), text.text());
}

}  // namespace

SecretText::~SecretText() {
  OPENSSL_cleanse(text_.data(), text_.capacity());
}

SecretText::SecretText(SecretText&& other) noexcept : text_(std::move(other.text_)) {
  OPENSSL_cleanse(other.text_.data(), other.text_.capacity());  // a short text lives in the object itself
  other.text_.clear();
}

Result<SecretFile> read_secret_file(const std::string& path, SecretOwner owner) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file.ok()) return tl::unexpected(system_error("cannot be read"));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return tl::unexpected(system_error("cannot be examined"));
  if (auto good = check(status, owner); !good) return tl::unexpected(good.error());
  SecretText text;
  text.buffer().resize(kMaxBytes);  // once; then cut to what was read
  std::size_t size = 0;
  while (size < kMaxBytes) {
    const ssize_t got = ::read(file.get(), text.buffer().data() + size, kMaxBytes - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(system_error("cannot be read"));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.buffer().resize(size);
  return SecretFile(std::move(text),
                    {status.st_uid, status.st_gid, static_cast<mode_t>(status.st_mode & 07777)});
}

Result<void> create_secret_file(const std::string& path, const SecretText& text) {
  const auto parent = std::filesystem::path(path).parent_path();
  std::error_code ignored;  // the open below says what is wrong
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.ok() && errno == EEXIST)
    return fail(
        path + ": exists already and is not overwritten; name another file, or use \"nlb key rotate\"",
        EEXIST);
  if (!file.ok()) return tl::unexpected(system_error("cannot be created").within(path));
  if (::fchmod(file.get(), 0600) != 0)
    return tl::unexpected(system_error("cannot be given mode 0600").within(path));
  if (auto written = write_all(file.get(), text.text()); !written) {
    ::unlink(path.c_str());
    return tl::unexpected(written.error().within(path));
  }
  sync_directory_of(path);
  return {};
}

Result<void> replace_secret_file(const std::string& path, const SecretText& text,
                                 const FileAttributes& attributes) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode))
    return fail(path + ": a symbolic link; name the file that it points to");
  const std::string temporary = path + ".new." + std::to_string(::getpid());
  auto done = fill(temporary, text, attributes);
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0)
    done = tl::unexpected(system_error("cannot be renamed into place"));
  if (!done) {
    if (done.error().code != EEXIST) ::unlink(temporary.c_str());
    return tl::unexpected(done.error().within(temporary));
  }
  sync_directory_of(path);
  return {};
}

}  // namespace nlb
