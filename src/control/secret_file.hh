// SPDX-License-Identifier: Apache-2.0
// Files that hold secrets: read only when nobody else can, written only where nobody else could have put
// something.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.hh"

namespace nlb {

// A text that is wiped when it goes. Reserve before appending: a string that grows leaves copies behind.
class SecretText {
 public:
  SecretText() = default;
  ~SecretText();
  SecretText(SecretText&& other) noexcept;
  SecretText& operator=(SecretText&&) = delete;
  [[nodiscard]] std::string& buffer() { return text_; }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  std::string text_;
};

struct FileAttributes {
  uid_t owner = 0;
  gid_t group = 0;
  mode_t mode = 0600;
};

class SecretFile {
 public:
  SecretFile(SecretText text, FileAttributes attributes) : text_(std::move(text)), attributes_(attributes) {}
  [[nodiscard]] std::string_view text() const { return text_.text(); }
  [[nodiscard]] const FileAttributes& attributes() const { return attributes_; }

 private:
  SecretText text_;
  FileAttributes attributes_;
};

// A daemon believes a file of root's or its own. A tool that root runs (`nlb key`, `nlb doctor`) also looks
// at one of the user as whom a daemon runs.
enum class SecretOwner { root_or_reader, any_to_root };

// Regular, owned by root or the effective user, no access for group or others, at most 64 KiB. The message
// does not name the path: the caller does.
[[nodiscard]] Result<SecretFile> read_secret_file(const std::string& path,
                                                  SecretOwner owner = SecretOwner::root_or_reader);
// O_EXCL | O_NOFOLLOW, mode 0600; makes the directory. An existing file is an error.
[[nodiscard]] Result<void> create_secret_file(const std::string& path, const SecretText& text);
// By a temporary file beside it and a rename; a symbolic link is refused.
[[nodiscard]] Result<void> replace_secret_file(const std::string& path, const SecretText& text,
                                               const FileAttributes& attributes);

}  // namespace nlb
