// SPDX-License-Identifier: Apache-2.0
#include "control/config_text.hh"

#include <array>
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
  std::string text;  // grows with what is read: there may be a file for each of a thousand virtual machines
  std::array<char, 4096> piece;
  while (stream.read(piece.data(), piece.size()), stream.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(stream.gcount()));
    if (text.size() > kMaxFileBytes) return fail("larger than 1 MiB; not a configuration file");
  }
  return text;
}

}  // namespace nlb
