// SPDX-License-Identifier: Apache-2.0
#include "console/ssh_tunnel.hh"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <sstream>

#include "control/config_values.hh"

namespace nlb::console {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
constexpr std::size_t kMostSaid = 4096, kMostSockets = 32;
constexpr milliseconds kShortestPause{1000}, kLongestPause{30000};
// A tunnel that stood this long was a good one: the next pause is short again.
constexpr milliseconds kStood{10000};
constexpr const char* kList =
    "for s in /run/opennlb/*/control.sock; do if test -S \"$s\"; then echo \"$s\"; fi; done";

// None of them means anything to ssh, to a shell or in -L.
bool is_plain(const std::string& text, const std::string& others) {
  return std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return (std::isalnum(c) != 0 && c < 0x80) || others.find(static_cast<char>(c)) != std::string::npos;
  });
}

// By the path there: after a new connection, each name still leads to the same daemon.
std::string name_here(const std::string& directory, std::string there) {
  std::replace(there.begin(), there.end(), '/', '_');
  return directory + "/" + there;
}
// The child of a process with threads: only what is safe there, until exec.
[[noreturn]] void become_ssh(const std::vector<char*>& words, int out, int error, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, 0);
  ::dup2(out, 1);
  ::dup2(error, 2);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execvp(words.front(), words.data());
  constexpr std::string_view missing = "ssh is not installed (Debian: openssh-client)\n";
  (void)!::write(2, missing.data(), missing.size());
  ::_exit(127);
}

// Both to their ends.
void read_both(int one, int other, const std::function<void(bool said, std::string_view)>& take) {
  std::array<pollfd, 2> open = {{{one, POLLIN, 0}, {other, POLLIN, 0}}};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    if (::poll(open.data(), open.size(), -1) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (open[i].fd < 0 || open[i].revents == 0) continue;
      std::array<char, 1024> piece;
      const auto bytes = ::read(open[i].fd, piece.data(), piece.size());
      if (bytes <= 0 && !(bytes < 0 && errno == EINTR)) open[i].fd = -1;
      if (bytes > 0) take(i == 1, {piece.data(), static_cast<std::size_t>(bytes)});
    }
  }
}

std::string last_line(const std::string& text) {
  std::istringstream lines(text);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.pop_back();
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace

Result<SshPlace> parse_ssh_place(const std::string& text) {
  const auto refused = [&](const std::string& why) {
    return fail(text + ": " + why + "; allowed: ssh://[USER@]HOST[:PORT][/SOCKET]");
  };
  const std::string scheme = "ssh://";
  if (!text.starts_with(scheme)) return refused("this is no address of ssh");
  SshPlace place;
  place.text = text;
  const std::string rest = text.substr(scheme.size());
  const auto slash = std::min(rest.find('/'), rest.size());
  std::string where = rest.substr(0, slash);
  place.socket = rest.substr(slash);
  if (place.socket == "/") place.socket.clear();
  if (!is_plain(place.socket, "/._-+@"))
    return refused("the socket's path has characters that it cannot have");
  const auto at = where.rfind('@');
  const std::string user = at == std::string::npos ? "" : where.substr(0, at);
  if (at != std::string::npos) where = where.substr(at + 1);
  if (at != std::string::npos && (user.empty() || user.starts_with('-') || !is_plain(user, "._-")))
    return refused("\"" + user + "\" is no user");
  const bool six = where.starts_with('[');
  const auto end = six ? where.find(']') : where.find(':');
  if (six && end == std::string::npos) return refused("the address's bracket is open");
  const std::string host = six ? where.substr(1, end - 1) : where.substr(0, end);
  const std::string behind = end == std::string::npos ? "" : where.substr(six ? end + 1 : end);
  if (host.empty() || host.starts_with('-') || !is_plain(host, six ? ":.%" : "._-"))
    return refused("\"" + host + "\" is no host");
  if (!behind.empty()) {
    place.port = behind.substr(1);
    const auto number = parse_number(place.port, 65535);
    if (behind.front() != ':' || !number || *number == 0) return refused("\"" + behind + "\" is no port");
  }
  place.destination = (user.empty() ? "" : user + "@") + host;
  return place;
}

SshTunnel::SshTunnel(SshPlace place, std::string directory)
    : place_(std::move(place)), directory_(std::move(directory)) {
  thread_ = std::thread([this] { run(); });
}

SshTunnel::~SshTunnel() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (child_ > 0) ::kill(child_, SIGTERM);
  }
  wake_.notify_all();
  thread_.join();
  std::error_code code;
  std::filesystem::remove_all(directory_, code);
}

std::vector<std::string> SshTunnel::sockets() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> open;
  std::error_code code;
  for (const auto& [path, there] : here_)
    if (std::filesystem::is_socket(path, code)) open.push_back(path);
  return open;
}

std::string SshTunnel::trouble() const {
  const bool open = !sockets().empty();
  const std::lock_guard lock(mutex_);
  return open ? "" : trouble_;
}

std::string SshTunnel::text_of(const std::string& socket) const {
  const std::lock_guard lock(mutex_);
  const auto found = here_.find(socket);
  return found == here_.end() ? "" : place_.text + (place_.socket.empty() ? found->second : "");
}

std::string SshTunnel::said() const {
  const std::lock_guard lock(mutex_);
  return said_;
}

void SshTunnel::say(const std::string& trouble) {
  const std::lock_guard lock(mutex_);
  trouble_ = trouble;
}

bool SshTunnel::pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, time, [this] { return stopping_; });
}

std::vector<std::string> SshTunnel::words_before() const {
  std::vector<std::string> words = {"ssh", "-a", "-T", "-x"};
  for (const char* option :
       {"BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3",
        "ControlMaster=no", "ControlPath=none", "PermitLocalCommand=no", "ExitOnForwardFailure=yes",
        "StreamLocalBindMask=0177", "StreamLocalBindUnlink=yes"})
    words.insert(words.end(), {"-o", option});
  if (!place_.port.empty()) words.insert(words.end(), {"-p", place_.port});
  return words;
}

SshTunnel::Ended SshTunnel::run_ssh(std::vector<std::string> words) {
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  std::array<int, 2> out{}, error{};
  Ended ended;
  if (::pipe2(out.data(), O_CLOEXEC) != 0) return {false, "", "no pipe: too many open files?"};
  if (::pipe2(error.data(), O_CLOEXEC) != 0) {
    for (const int fd : out) ::close(fd);
    return {false, "", "no pipe: too many open files?"};
  }
  const pid_t parent = ::getpid();
  pid_t child = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) child = ::fork();
    if (child == 0 && ::getpid() != parent) become_ssh(pointers, out[1], error[1], parent);
    child_ = child;
  }
  ::close(out[1]);
  ::close(error[1]);
  if (child > 0)
    read_both(out[0], error[0], [&](bool said, std::string_view piece) {
      auto& text = said ? ended.said : ended.out;
      text.append(piece);
      if (text.size() > kMostSaid) text.erase(0, text.size() - kMostSaid);
      if (!said) return;
      const std::lock_guard lock(mutex_);
      said_ = last_line(text);
    });
  ::close(out[0]);
  ::close(error[0]);
  int status = -1;
  {
    // A process that is waited for has no id any more that could be signalled.
    while (child > 0 && ::waitid(P_PID, static_cast<id_t>(child), nullptr, WEXITED | WNOWAIT) != 0) {
    }
    const std::lock_guard lock(mutex_);
    if (child > 0) ::waitpid(child, &status, 0);
    child_ = 0;
  }
  ended.good = child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  ended.said = last_line(ended.said);
  if (ended.said.empty()) ended.said = "ssh ended without a word";
  return ended;
}

Result<std::vector<std::string>> SshTunnel::sockets_there() {
  if (!place_.socket.empty()) return std::vector{place_.socket};
  auto words = words_before();
  words.insert(words.end(), {"--", place_.destination, kList});
  const auto ended = run_ssh(words);
  if (!ended.good) return fail("ssh: " + ended.said);
  std::vector<std::string> found;
  std::istringstream lines(ended.out);
  for (std::string line; std::getline(lines, line) && found.size() < kMostSockets;)
    if (line.starts_with('/') && is_plain(line, "/._-+@")) found.push_back(line);
  if (found.empty()) return fail("there is no control socket below /run/opennlb there");
  return found;
}

void SshTunnel::run() {
  for (auto wait = kShortestPause;; wait = std::min(wait * 2, kLongestPause)) {
    const auto begun = steady_clock::now();
    const auto there = sockets_there();
    if (there) {
      auto words = words_before();
      std::map<std::string, std::string> here;
      for (const auto& path : *there) {
        here[name_here(directory_, path)] = path;
        words.insert(words.end(), {"-L", name_here(directory_, path) + ":" + path});
      }
      words.insert(words.end(), {"-N", "--", place_.destination});
      {
        const std::lock_guard lock(mutex_);
        here_ = here;
        said_.clear();
      }
      const auto ended = run_ssh(words);
      std::error_code code;
      for (const auto& [path, its] : here) std::filesystem::remove(path, code);
      say("ssh: " + ended.said);
    } else {
      say(there.error().message);
    }
    if (steady_clock::now() - begun > kStood) wait = kShortestPause;
    if (!pause(wait)) return;
  }
}

}  // namespace nlb::console
