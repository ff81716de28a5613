// SPDX-License-Identifier: Apache-2.0
#include "linux/instance_lock.hh"

#include <fcntl.h>
#include <sys/file.h>
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

// 0, or the errno of the last try.
template <typename Try>
int try_for_a_second(int held_elsewhere, Try attempt) {
  int error = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    if (attempt() == 0) return 0;
    error = errno;
    if (error != held_elsewhere) break;
    std::this_thread::sleep_for(kTurn);
  }
  return error;
}

tl::unexpected<Error> not_taken(const std::string& what, int error) {
  return fail(what + ": cannot take the instance lock: " + std::strerror(error), error);
}

// A descriptor with an abstract name, or the errno negated.
int with_abstract_name(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;  // sun_path[0] stays zero: an abstract name
  if (name.size() >= sizeof address.sun_path) return -EINVAL;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  const int error =
      try_for_a_second(EADDRINUSE, [&] { return bind(fd, reinterpret_cast<sockaddr*>(&address), length); });
  if (error == 0) return fd;
  close(fd);
  return -error;
}

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::string& interface) {
  const std::string name = "opennlb/" + interface;
  const int fd = with_abstract_name(name);
  if (fd >= 0) return InstanceLock(fd);
  if (fd == -EINVAL) return fail("\"" + interface + "\" is no interface name", EINVAL);
  if (fd != -EADDRINUSE) return not_taken(interface, -fd);
  return fail(interface +
                  " is already served by another nlbd in this network namespace; stop it first "
                  "(`ss -xlp` shows the holder of @" +
                  name + ")",
              EADDRINUSE);
}

Result<InstanceLock> InstanceLock::take_cluster(const std::string& cluster) {
  const std::string name = "opennlb/cluster/" + cluster;
  const int fd = with_abstract_name(name);
  if (fd >= 0) return InstanceLock(fd);
  if (fd != -EADDRINUSE) return not_taken("cluster " + cluster, -fd);
  return fail(
      "a cluster named " + cluster +
          " is already served in this network namespace; clusters of one host have names of their own "
          "(`ss -xlp` shows the holder of @" +
          name + ")",
      EADDRINUSE);
}

Result<InstanceLock> InstanceLock::take_directory(const std::string& runtime_directory) {
  const int fd = open(runtime_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return not_taken(runtime_directory, errno);
  InstanceLock lock(fd);
  const int error = try_for_a_second(EWOULDBLOCK, [&] { return flock(fd, LOCK_EX | LOCK_NB); });
  if (error == 0) return lock;
  if (error != EWOULDBLOCK) return not_taken(runtime_directory, error);
  return fail(runtime_directory +
                  " is the runtime directory of another nlbd; each instance has its own (--runtime-dir)",
              error);
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
