// SPDX-License-Identifier: Apache-2.0
// Type exec: a program says by its exit code, 0 = good, within the time limit; its first line is what people
// are shown. It has no shell, no argument, no capability (linux/confined_process.hh). What it started is
// killed with it, and a run begins only when nothing is left of the one before.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <csignal>

#include "health/timed_probe.hh"
#include "linux/confined_process.hh"

namespace nlb {
namespace {

namespace asio = boost::asio;
constexpr std::size_t kMostOutput = 64 * 1024;  // more is a failure
constexpr std::size_t kKeptOutput = 1024, kShown = 200;

// A program that others may change would be theirs to run as the daemon's user. "" = nobody else may.
std::string objection_to(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return "";  // running it names the reason
  if (status.st_uid != 0 && status.st_uid != geteuid())
    return "belongs to user " + std::to_string(status.st_uid) + "; allowed: root or the daemon's user";
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return "may be written by others; make it `chmod go-w " + path + "`";
  return "";
}

std::string first_line(const std::string& output) {
  std::string line;
  for (const char octet : output) {
    if (octet == '\n' && !line.empty()) break;
    const bool plain = static_cast<unsigned char>(octet) >= 0x20 && octet != 0x7f;
    if (plain && line.size() < kShown) line += octet;
  }
  return line;
}

class ExecProbe final : public TimedProbe {
 public:
  ExecProbe(asio::io_context& io, const HealthCheck& check, std::vector<std::string> environment)
      : TimedProbe(io, check), environment_(std::move(environment)), end_(io), output_(io) {}

 private:
  [[nodiscard]] std::shared_ptr<ExecProbe> self() {
    return std::static_pointer_cast<ExecProbe>(shared_from_this());
  }

  void run() override {
    if (const auto objection = objection_to(check().target); !objection.empty())
      return finish(false, check().target + ": not run: it " + objection);
    auto started = start_confined(check().target, environment_);
    if (!started) return finish(false, check().target + ": " + started.error().message);
    pid_ = started->pid;
    end_.assign(started->end_fd);
    output_.assign(started->output_fd);
    // Until it has ended, whatever is decided meanwhile: so nothing is left unwaited for.
    end_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [me = self()](const boost::system::error_code& error) {
                      if (!error) me->has_ended();
                    });
    read_output();
  }

  void read_output() {
    output_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [me = self()](const boost::system::error_code& error) {
                         if (error || !me->take_output()) return;
                         me->read_output();
                       });
  }

  // False at its end, or when it was too much.
  bool take_output() {
    std::array<char, 4096> chunk{};
    ssize_t size = 0;
    while ((size = read(output_.native_handle(), chunk.data(), chunk.size())) > 0) {
      taken_ += static_cast<std::size_t>(size);
      if (text_.size() < kKeptOutput) text_.append(chunk.data(), static_cast<std::size_t>(size));
      if (taken_ <= kMostOutput) continue;
      finish(false, "wrote more than 64 KiB, and was killed");
      return false;
    }
    return size != 0;
  }

  void has_ended() {
    take_output();
    const pid_t pid = std::exchange(pid_, 0);
    kill(-pid, SIGKILL);  // what it left behind in its group; the group is there until we have waited
    int status = 0;
    waitpid(pid, &status, 0);
    const std::string line = first_line(text_);
    const std::string said = line.empty() ? "" : ": " + line;
    if (WIFSIGNALED(status))
      finish(false, "ended by signal " + std::to_string(WTERMSIG(status)) + said);
    else
      finish(WEXITSTATUS(status) == 0, "exit code " + std::to_string(WEXITSTATUS(status)) + said);
    close_all();
  }

  void end() override {
    if (pid_ > 0) kill(-pid_, SIGKILL);
    boost::system::error_code ignored;
    if (output_.is_open()) output_.cancel(ignored);
  }

  void close_all() {
    boost::system::error_code ignored;
    end_.close(ignored);
    output_.close(ignored);
  }

  std::vector<std::string> environment_;
  pid_t pid_ = 0;
  asio::posix::stream_descriptor end_, output_;
  std::string text_;
  std::size_t taken_ = 0;
};

}  // namespace

std::shared_ptr<Probe> make_exec_probe(asio::io_context& io, const HealthCheck& check,
                                       std::vector<std::string> environment) {
  return std::make_shared<ExecProbe>(io, check, std::move(environment));
}

}  // namespace nlb
