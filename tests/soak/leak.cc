// SPDX-License-Identifier: Apache-2.0
// Put under nlbd (LD_PRELOAD), it leaks with every read of the protocol thread, some 60 a second: would the
// soak see it? NLB_LEAK=memory loses 64 bytes each time, NLB_LEAK=descriptors one descriptor in 1000 reads.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>

namespace {

constexpr std::size_t kBytes = 64;
constexpr unsigned kReadsPerDescriptor = 1000;

using Receive = int (*)(int, mmsghdr*, unsigned, int, timespec*);

void leak(const char* what) {
  static unsigned reads = 0;
  if (std::strcmp(what, "memory") == 0) {
    void* volatile lost = std::malloc(kBytes);
    if (lost != nullptr) std::memset(lost, 1, kBytes);  // resident
  } else if (++reads % kReadsPerDescriptor == 0) {
    [[maybe_unused]] const int lost = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
}

}  // namespace

extern "C" int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  static const auto real = reinterpret_cast<Receive>(dlsym(RTLD_NEXT, "recvmmsg"));
  if (const char* what = std::getenv("NLB_LEAK"); what != nullptr) leak(what);
  return real(fd, messages, count, flags, timeout);
}
