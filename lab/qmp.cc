// SPDX-License-Identifier: Apache-2.0
#include "lab/qmp.hh"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "lab/agent_frames.hh"

namespace nlb::lab {
namespace {

using nlohmann::json;

constexpr timeval kLimit{5, 0};

int connect_to(const std::string& path) {
  const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &kLimit, sizeof kLimit);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (connect(file, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return file;
  close(file);
  return -1;
}

// The next answer; events pass by. A line is one document.
json answer(int file, std::string& unread) {
  while (true) {
    for (auto end = unread.find('\n'); end != std::string::npos; end = unread.find('\n')) {
      auto document = json::parse(unread.substr(0, end), nullptr, false);
      unread.erase(0, end + 1);
      if (document.contains("return") || document.contains("error")) return document;
    }
    const auto more = read_some(file);
    if (!more || more->empty()) return {};
    unread += *more;
  }
}

}  // namespace

Result<void> qmp(const std::string& socket_path, const std::string& command, const std::string& arguments) {
  const int file = connect_to(socket_path);
  if (file < 0)
    return fail(fmt::format("{}: QEMU does not answer: {}", socket_path, std::strerror(errno)), errno);
  std::string unread;
  json said;
  for (const auto& line : {std::string(R"({"execute":"qmp_capabilities"})"),
                           fmt::format(R"({{"execute":"{}","arguments":{}}})", command, arguments)}) {
    (void)write_all(file, (line + "\n").data(), line.size() + 1);
    said = answer(file, unread);
    if (!said.contains("return")) break;
  }
  close(file);
  if (said.contains("return")) return {};
  return fail(fmt::format("QEMU refused {}: {}", command, said.is_null() ? "no answer" : said.dump()));
}

}  // namespace nlb::lab
