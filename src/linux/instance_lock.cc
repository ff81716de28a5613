// SPDX-License-Identifier: Apache-2.0
#include "linux/instance_lock.hh"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <thread>
#include <utility>

namespace nlb {
namespace {

// One that was killed holds its name until the kernel has taken down its last thread.
constexpr int kTurns = 50;
constexpr auto kTurn = std::chrono::milliseconds(20);

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::string& interface) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "opennlb/" + interface;  // sun_path[0] stays zero: an abstract name
  if (name.size() >= sizeof address.sun_path)
    return fail("\"" + interface + "\" is no interface name", EINVAL);
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());

  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(interface + ": cannot take the instance lock: " + std::strerror(errno), errno);
  InstanceLock lock(fd);
  int error = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0) return lock;
    error = errno;
    if (error != EADDRINUSE) break;
    std::this_thread::sleep_for(kTurn);
  }
  if (error == EADDRINUSE)
    return fail(interface +
                    " is already served by another nlbd in this network namespace; stop it first "
                    "(`ss -xlp` shows the holder of @" +
                    name + ")",
                error);
  return fail(interface + ": cannot take the instance lock: " + std::strerror(error), error);
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

InstanceLock& InstanceLock::operator=(InstanceLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

InstanceLock::~InstanceLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace nlb
