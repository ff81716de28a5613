// SPDX-License-Identifier: Apache-2.0
// The guest's side: one process a connection, in a process group that dies with the connection.
#include "lab/agent.hh"

#include <arpa/inet.h>
#include <fcntl.h>
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
#include <fstream>
#include <nlohmann/json.hpp>

#include "lab/agent_frames.hh"
#include "lab/network.hh"

namespace nlb::lab {
namespace {

constexpr const char* kControlSocket = "/run/opennlb/web/control.sock";  // of the guest's nlbd; see host.sh
constexpr int kCannotRun = 127;

struct Running {
  pid_t pid = -1;
  int input = -1, output = -1, error = -1;
};

[[noreturn]] void become(const std::vector<std::string>& command) {
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  setenv("NLB_SOCKET", kControlSocket, 1);
  execvp(words[0], words.data());
  fmt::print(stderr, "{}: cannot be run: {}\n", command[0], std::strerror(errno));
  std::fflush(nullptr);
  _exit(kCannotRun);
}

Running start(const std::vector<std::string>& command) {
  std::array<std::array<int, 2>, 3> pipes{};
  for (auto& pipe : pipes)
    if (pipe2(pipe.data(), O_CLOEXEC) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    dup2(pipes[0][0], STDIN_FILENO);
    dup2(pipes[1][1], STDOUT_FILENO);
    dup2(pipes[2][1], STDERR_FILENO);
    become(command);
  }
  close(pipes[0][0]);
  close(pipes[1][1]);
  close(pipes[2][1]);
  return {child, pipes[0][1], pipes[1][0], pipes[2][0]};
}

// What the command has not read yet. Nobody waits for anybody here: a command that writes before it reads, as
// `cat` does, would else stand still together with its caller.
struct Input {
  int file = -1;
  std::string waiting;
  bool ended = false;

  // False when the caller has gone.
  bool take(int connection) {
    auto frame = read_frame(connection);
    if (!frame || frame->kind != FrameKind::input) return false;
    ended = ended || frame->bytes.empty();
    waiting = std::move(frame->bytes);
    return true;
  }
  void pass_on() {
    const ssize_t count = write(file, waiting.data(), waiting.size());
    if (count > 0) waiting.erase(0, static_cast<std::size_t>(count));
    const bool gone = count < 0 && errno != EAGAIN && errno != EINTR;
    if (gone || (ended && waiting.empty())) shut();
  }
  void shut() {
    if (file >= 0) close(file);
    file = -1;
    waiting.clear();
  }
};

bool pass_output(int& file, int connection, FrameKind kind) {
  const auto bytes = read_some(file);
  if (bytes && !bytes->empty()) return write_frame(connection, kind, *bytes);
  close(file);
  file = -1;
  return true;
}

// Until both streams have ended; false when the caller went first.
bool converse(int connection, Running& running) {
  Input input{running.input, "", false};
  fcntl(input.file, F_SETFL, O_NONBLOCK);
  bool caller = true;
  while (caller && (running.output >= 0 || running.error >= 0)) {
    const bool full = !input.waiting.empty();
    std::array<pollfd, 4> polled{pollfd{connection, static_cast<short>(full ? 0 : POLLIN), 0},
                                 pollfd{running.output, POLLIN, 0}, pollfd{running.error, POLLIN, 0},
                                 pollfd{full ? input.file : -1, POLLOUT, 0}};
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return false;
    if (polled[0].revents != 0) caller = input.take(connection);
    if (caller && polled[1].revents != 0) caller = pass_output(running.output, connection, FrameKind::output);
    if (caller && polled[2].revents != 0) caller = pass_output(running.error, connection, FrameKind::error);
    if (input.file >= 0 && (input.ended || polled[3].revents != 0)) input.pass_on();
    if (input.file < 0) input.waiting.clear();
  }
  input.shut();
  return caller;
}

void run_command(int connection, const std::string& request) {
  const auto list = nlohmann::json::parse(request, nullptr, false);
  if (!list.is_array() || list.empty()) return;
  Running running = start(list.get<std::vector<std::string>>());
  if (running.pid < 0) return;
  if (!converse(connection, running)) kill(-running.pid, SIGKILL);
  int status = 0;
  while (waitpid(running.pid, &status, 0) < 0 && errno == EINTR) {
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  (void)write_frame(connection, FrameKind::exit, std::to_string(code));
}

void connect_control(int connection) {
  const int control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, kControlSocket, sizeof address.sun_path - 1);
  if (connect(control, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
    splice(connection, control);
  close(control);
}

void attend(int connection) {
  std::string boot_id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot_id);
  if (!write_frame(connection, FrameKind::greeting, boot_id)) return;
  const auto request = read_frame(connection);
  if (request && request->kind == FrameKind::run) run_command(connection, request->bytes);
  if (request && request->kind == FrameKind::control) connect_control(connection);
}

// Opened in the other namespace; this process stays where it is.
int listen_in(const std::string& network) {
  const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (!enter_network(network)) return -1;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (setns(home, CLONE_NEWNET) != 0) return -1;
  close(home);
  const int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kAgentPort);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  return listen(listener, 64) == 0 ? listener : -1;
}

}  // namespace

int serve_agent(const std::string& network) {
  const int listener = listen_in(network);
  if (listener < 0) {
    fmt::print(stderr, "lab agent: cannot listen in {}: {}\n", network, std::strerror(errno));
    return 1;
  }
  std::signal(SIGPIPE, SIG_IGN);
  while (true) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    const int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    if (fork() == 0) {
      close(listener);
      attend(connection);
      _exit(0);
    }
    close(connection);
  }
}

}  // namespace nlb::lab
