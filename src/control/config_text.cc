// SPDX-License-Identifier: Apache-2.0
#include "control/config_text.hh"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace nlb {
namespace {

constexpr std::size_t kMaxFileBytes = 1024 * 1024;

}  // namespace

Result<std::string> read_config_text(const std::string& path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return fail("is a directory; allowed: a configuration file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail(std::string("cannot be read: ") + std::strerror(errno));
  std::string text(kMaxFileBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMaxFileBytes) return fail("larger than 1 MiB; not a configuration file");
  return text;
}

}  // namespace nlb
