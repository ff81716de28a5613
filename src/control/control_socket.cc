// SPDX-License-Identifier: Apache-2.0
#include "control/control_socket.hh"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nlb {

SocketState probe_socket(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return errno == EACCES ? SocketState::denied : SocketState::absent;
  if (!S_ISSOCK(status.st_mode)) return SocketState::not_socket;
  if (path.size() > kMaxSocketPathBytes) return SocketState::stale;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return SocketState::live;  // cannot tell: leave it alone
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int code = errno;
  ::close(fd);
  if (connected || code == EAGAIN) return SocketState::live;  // EAGAIN: its queue is full
  if (code == EACCES || code == EPERM) return SocketState::denied;
  return code == ECONNREFUSED || code == ENOENT ? SocketState::stale : SocketState::live;
}

}  // namespace nlb
