// SPDX-License-Identifier: Apache-2.0
// Both ends of very many idle TCP connections, for held_bench.py.
//   idle_connections serve PORT                           listens until it is killed, and accepts none: the
//                                                         connections stand in its queue, without descriptors
//   idle_connections hold ADDRESS PORT COUNT SOURCE...    opens COUNT, in turn from each source; says
//     "open N failed N"; at the end of its input "open N" again, and ends
#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kUnderWay = 2000;  // attempts at a time
constexpr int kQueue = 1 << 20;          // as far as net.core.somaxconn allows
constexpr int kWaitMs = 30'000;

int report(const char* what) {
  std::perror(what);
  return 1;
}

sockaddr_in endpoint(const char* address, uint16_t port) {
  sockaddr_in end{};
  end.sin_family = AF_INET;
  end.sin_port = htons(port);
  if (inet_pton(AF_INET, address, &end.sin_addr) == 1) return end;
  fmt::print(stderr, "idle_connections: {} is no IPv4 address\n", address);
  std::exit(2);
}

const sockaddr* generic(const sockaddr_in& end) {
  return reinterpret_cast<const sockaddr*>(&end);
}

int serve(uint16_t port) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in own = endpoint("0.0.0.0", port);
  if (bind(listener, generic(own), sizeof own) != 0 || listen(listener, kQueue) != 0) return report("listen");
  pause();
  return 0;
}

// Under way when it has been started; -1 when it cannot be.
int begin(const sockaddr_in& to, const sockaddr_in& source) {
  const int file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int one = 1;
  setsockopt(file, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (file >= 0 && bind(file, generic(source), sizeof source) == 0 &&
      (connect(file, generic(to), sizeof to) == 0 || errno == EINPROGRESS))
    return file;
  if (file >= 0) close(file);
  return -1;
}

class Connections {
 public:
  void open(const sockaddr_in& to, std::size_t count, const std::vector<sockaddr_in>& sources) {
    std::size_t started = 0;
    while (started < count || under_way_ > 0) {
      for (; started < count && under_way_ < kUnderWay; ++started)
        watch(begin(to, sources[started % sources.size()]));
      if (under_way_ > 0 && !settle()) break;
    }
    failed = count - open_.size();
  }
  // That neither end has ended: nothing is ever sent, so there is nothing to read but an end.
  [[nodiscard]] std::size_t alive() const {
    return static_cast<std::size_t>(std::count_if(open_.begin(), open_.end(), [](int file) {
      char byte = 0;
      return recv(file, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
    }));
  }
  std::size_t failed = 0;

 private:
  void watch(int file) {
    if (file < 0) return;
    epoll_event event{EPOLLOUT | EPOLLONESHOT, {.fd = file}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, file, &event);
    ++under_way_;
  }
  bool settle() {
    std::array<epoll_event, 512> events{};
    const int ready = epoll_wait(epoll_, events.data(), events.size(), kWaitMs);
    for (int i = 0; i < ready; ++i) {
      const int file = events[static_cast<std::size_t>(i)].data.fd;
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(file, SOL_SOCKET, SO_ERROR, &error, &size);
      epoll_ctl(epoll_, EPOLL_CTL_DEL, file, nullptr);
      --under_way_;
      if (error == 0) {
        open_.push_back(file);
      } else {
        close(file);
      }
    }
    return ready > 0;
  }
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::size_t under_way_ = 0;
  std::vector<int> open_;
};

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

int hold(int argc, char** argv) {
  const auto to = endpoint(argv[2], static_cast<uint16_t>(std::atoi(argv[3])));
  std::vector<sockaddr_in> sources;
  for (int i = 5; i < argc; ++i) sources.push_back(endpoint(argv[i], 0));
  Connections connections;
  connections.open(to, std::strtoul(argv[4], nullptr, 10), sources);
  say(fmt::format("open {} failed {}", connections.alive(), connections.failed));
  while (std::getchar() != EOF) {
  }
  say(fmt::format("open {}", connections.alive()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string role = argc > 1 ? argv[1] : "";
  if (role == "serve" && argc == 3) return serve(static_cast<uint16_t>(std::atoi(argv[2])));
  if (role == "hold" && argc > 5) return hold(argc, argv);
  fmt::print(stderr, "usage: idle_connections serve PORT | hold ADDRESS PORT COUNT SOURCE...\n");
  return 2;
}
