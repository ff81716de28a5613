// SPDX-License-Identifier: Apache-2.0
// Children with pipes, daemons without; a process is its number and its start time.
#include "lab/process.hh"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "lab/network.hh"

namespace nlb::lab {
namespace {

constexpr int kCannotExec = 127;

std::vector<char*> pointers(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  return argv;
}

// In the child: never returns.
[[noreturn]] void become(const std::vector<std::string>& command, const std::string& network) {
  if (!network.empty()) {
    if (auto entered = enter_network(network); !entered) {
      fmt::print(stderr, "{}\n", entered.error().message);
      std::fflush(nullptr);
      _exit(kCannotExec);
    }
  }
  const auto argv = pointers(command);
  execvp(argv[0], argv.data());
  fmt::print(stderr, "{}: cannot be run: {}\n", command[0], std::strerror(errno));
  std::fflush(nullptr);
  _exit(kCannotExec);
}

// Feeds `input` to one end and collects what comes out of the other, without a deadlock between the two.
std::string converse(int to_child, int from_child, const std::string& input) {
  std::string output;
  std::size_t sent = 0;
  std::array<char, 16384> chunk{};
  if (input.empty()) {
    close(to_child);
    to_child = -1;
  }
  while (true) {
    std::array<pollfd, 2> polled{pollfd{from_child, POLLIN, 0}, pollfd{to_child, POLLOUT, 0}};
    if (poll(polled.data(), to_child < 0 ? 1 : 2, -1) < 0 && errno != EINTR) break;
    if (to_child >= 0 && polled[1].revents != 0) {
      const ssize_t count = write(to_child, input.data() + sent, input.size() - sent);
      if (count > 0) sent += static_cast<std::size_t>(count);
      if (sent == input.size() || (count < 0 && errno != EAGAIN)) {
        close(to_child);
        to_child = -1;
      }
    }
    if (polled[0].revents != 0) {
      const ssize_t count = read(from_child, chunk.data(), chunk.size());
      if (count <= 0) break;
      output.append(chunk.data(), static_cast<std::size_t>(count));
    }
  }
  if (to_child >= 0) close(to_child);
  return output;
}

// The fields of /proc/PID/stat from the third on: the state first. The name before it may hold anything.
std::vector<std::string> status_fields(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(')');
  std::vector<std::string> fields;
  if (name_end == std::string::npos) return fields;
  std::istringstream rest(line.substr(name_end + 1));
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

}  // namespace

Result<Finished> run(const std::vector<std::string>& command, const std::string& input,
                     const std::string& network) {
  std::array<int, 2> in{}, out{};
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0)
    return fail(fmt::format("no pipe: {}", std::strerror(errno)), errno);
  const auto old_handler = std::signal(SIGPIPE, SIG_IGN);
  const pid_t child = fork();
  if (child < 0) return fail(fmt::format("cannot fork: {}", std::strerror(errno)), errno);
  if (child == 0) {
    std::signal(SIGPIPE, SIG_DFL);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(out[1], STDERR_FILENO);
    become(command, network);
  }
  close(in[0]);
  close(out[1]);
  fcntl(in[1], F_SETFL, O_NONBLOCK);
  Finished finished;
  finished.output = converse(in[1], out[0], input);
  close(out[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::signal(SIGPIPE, old_handler);
  finished.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
}

Result<void> must_run(const std::vector<std::string>& command, const std::string& input,
                      const std::string& network) {
  auto finished = run(command, input, network);
  if (!finished) return tl::unexpected<Error>(finished.error());
  if (finished->exit_code == 0) return {};
  std::string words;
  for (const auto& word : command) words += (words.empty() ? "" : " ") + word;
  return fail(fmt::format("`{}` failed with exit code {}: {}", words, finished->exit_code, finished->output));
}

Result<ProcessId> start_daemon(const std::vector<std::string>& command, const std::string& network,
                               const std::string& log_file) {
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) return fail(fmt::format("{}: {}", log_file, std::strerror(errno)), errno);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t child = fork();
  if (child < 0) return fail(fmt::format("cannot fork: {}", std::strerror(errno)), errno);
  if (child == 0) {
    setsid();
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close_range(3, ~0U, 0);  // a pipe kept open would keep the caller's reader waiting for its end
    become(command, network);
  }
  close(null);
  close(log);
  return ProcessId{child, start_ticks(child).value_or(0)};
}

std::optional<uint64_t> start_ticks(pid_t pid) {
  const auto fields = status_fields(pid);
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return std::nullopt;
  return std::strtoull(fields[19].c_str(), nullptr, 10);
}

bool is_stopped(const ProcessId& process) {
  const auto fields = status_fields(process.pid);
  return !fields.empty() && fields[0] == "T" && is_alive(process);
}

bool is_alive(const ProcessId& process) {
  return process.pid > 0 && start_ticks(process.pid) == process.start_ticks;
}

void send_signal(const ProcessId& process, int signal) {
  if (is_alive(process)) kill(process.pid, signal);
}

bool wait_gone(const ProcessId& process, int timeout_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (is_alive(process)) {
    waitpid(process.pid, nullptr, WNOHANG);  // when it is a child of ours
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

Result<void> write_pid_file(const std::string& path, const ProcessId& process) {
  std::ofstream file(path);
  file << process.pid << ' ' << process.start_ticks << '\n';
  file.close();
  if (!file) return fail(fmt::format("{}: cannot be written", path));
  return {};
}

std::optional<ProcessId> read_pid_file(const std::string& path) {
  std::ifstream file(path);
  ProcessId process;
  if (!(file >> process.pid >> process.start_ticks)) return std::nullopt;
  return process;
}

std::string own_program() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

std::string own_directory() {
  return std::filesystem::path(own_program()).parent_path().string();
}

std::string program_beside(const std::string& name) {
  for (const auto* place : {"/", "/../sbin/"}) {
    const auto path = own_directory() + place + name;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

void put_own_directory_on_path() {
  const char* path = std::getenv("PATH");
  setenv("PATH", fmt::format("{}:{}", own_directory(), path != nullptr ? path : "/usr/sbin:/usr/bin").c_str(),
         1);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace nlb::lab
