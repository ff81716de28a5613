// SPDX-License-Identifier: Apache-2.0
// The hypervisor's side of a guest's agent: commands with their streams, and the relay of control sockets.
#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "lab/agent.hh"
#include "lab/agent_frames.hh"
#include "lab/network.hh"
#include "lab/plan.hh"

namespace nlb::lab {
namespace {

constexpr uint16_t kForwardBase = 7100;
constexpr int kGreetingMs = 10'000, kShortGreetingMs = 500;
constexpr int kSilenceMs = 2000;  // of a command, after which its guest is asked whether it is the one it was

struct AgentConnection {
  int file = -1;
  std::string boot_id;
};

// QEMU accepts at once, whether or not the guest is there: only the greeting tells.
Result<AgentConnection> greet_agent(unsigned host, int timeout_ms) {
  if (auto entered = enter_network(kSwitch); !entered) return tl::unexpected<Error>(entered.error());
  const int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(agent_forward_port(host));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(file, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    close(file);
    return fail(fmt::format("host{}: its QEMU does not run: {}", host, std::strerror(error)), error);
  }
  pollfd polled{file, POLLIN, 0};
  const auto greeting = poll(&polled, 1, timeout_ms) == 1 ? read_frame(file) : std::nullopt;
  if (greeting && greeting->kind == FrameKind::greeting) return AgentConnection{file, greeting->bytes};
  close(file);
  return fail(fmt::format("host{}: the guest's agent does not answer within {} ms", host, timeout_ms),
              ETIMEDOUT);
}

// A guest that is reset ends no connection: QEMU's user network keeps it, and only the boot id of a new
// greeting tells. One that stands still, or boots, does not greet and is waited for.
bool has_rebooted(unsigned host, const AgentConnection& former) {
  const auto now = greeted_boot_id(host, kShortGreetingMs);
  return now && *now != former.boot_id;
}

// False at the guest's end of the command or of the connection; then `code` is the exit code, or unchanged.
bool pass_on(int connection, std::string& received, int& code) {
  const auto bytes = read_some(connection);
  if (!bytes || bytes->empty()) return false;
  received += *bytes;
  while (true) {
    const auto taken = take_frame(received);
    if (!taken) return false;
    const auto& frame = *taken;
    if (!frame) return true;
    if (frame->kind == FrameKind::exit) {
      code = std::atoi(frame->bytes.c_str());
      return false;
    }
    const int file = frame->kind == FrameKind::error ? STDERR_FILENO : STDOUT_FILENO;
    if (!write_all(file, frame->bytes.data(), frame->bytes.size())) return false;
  }
}

void send_some(int connection, std::string& bytes) {
  const ssize_t count = send(connection, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count > 0) bytes.erase(0, static_cast<std::size_t>(count));
}

void relay_one(unsigned host, int client) {
  const auto agent = greet_agent(host, kShortGreetingMs);
  if (!agent || !write_frame(agent->file, FrameKind::control, "")) return;
  splice(client, agent->file);
}

int listen_at(const std::string& path) {
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  unlink(path.c_str());
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  return listen(listener, 64) == 0 ? listener : -1;
}

}  // namespace

uint16_t agent_forward_port(unsigned host) {
  return static_cast<uint16_t>(kForwardBase + host);
}

Result<std::string> greeted_boot_id(unsigned host, int timeout_ms) {
  const auto agent = greet_agent(host, timeout_ms);
  if (!agent) return tl::unexpected<Error>(agent.error());
  close(agent->file);
  return agent->boot_id;
}

Result<int> exec_in_machine(unsigned host, const std::vector<std::string>& command) {
  const auto agent = greet_agent(host, kGreetingMs);
  if (!agent) return tl::unexpected<Error>(agent.error());
  std::signal(SIGPIPE, SIG_IGN);
  if (!write_frame(agent->file, FrameKind::run, nlohmann::json(command).dump()))
    return fail(fmt::format("host{}: the guest's agent has gone", host));
  int code = -1;
  std::string received, waiting;  // waiting: input that the guest has not taken; its output comes first
  bool more_input = true;
  while (true) {
    std::array<pollfd, 2> polled{
        pollfd{agent->file, static_cast<short>(waiting.empty() ? POLLIN : POLLIN | POLLOUT), 0},
        pollfd{more_input && waiting.empty() ? STDIN_FILENO : -1, POLLIN, 0}};
    const int ready = poll(polled.data(), polled.size(), kSilenceMs);
    if (ready < 0 && errno != EINTR) break;
    if (ready == 0 && has_rebooted(host, *agent)) break;
    if (ready <= 0) continue;
    if ((polled[0].revents & ~POLLOUT) != 0 && !pass_on(agent->file, received, code)) break;
    if ((polled[0].revents & POLLOUT) != 0) send_some(agent->file, waiting);
    if (polled[1].revents == 0) continue;
    const auto bytes = read_some(STDIN_FILENO);
    more_input = bytes && !bytes->empty();
    waiting = frame_of(FrameKind::input, bytes.value_or(""));
  }
  close(agent->file);
  if (code < 0) return fail(fmt::format("host{}: the guest has gone while `{}` ran", host, command[0]));
  return code;
}

int serve_relay(unsigned host, const std::string& socket_path) {
  const int listener = listen_at(socket_path);
  if (listener < 0) {
    fmt::print(stderr, "lab relay: {}: {}\n", socket_path, std::strerror(errno));
    return 1;
  }
  std::signal(SIGPIPE, SIG_IGN);
  while (true) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    if (fork() == 0) {
      close(listener);
      relay_one(host, client);
      _exit(0);
    }
    close(client);
  }
}

}  // namespace nlb::lab
