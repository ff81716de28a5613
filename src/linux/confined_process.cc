// SPDX-License-Identifier: Apache-2.0
// vfork, not fork: a copy of the daemon's page tables would make each thread of it, the real-time one too,
// fault at its next write to each page, and its memory is locked. The calling thread alone waits, until the
// child has become the program. The child shares memory with the daemon till then, where other threads may
// hold any lock: it makes system calls and nothing else.
#include "linux/confined_process.hh"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace nlb {
namespace {

struct Launch {
  const char* path;
  char* const* arguments;
  char* const* environment;
  int input, output;
  volatile int error = 0;             // of the child's step that failed; it writes into our memory
  const char* volatile step = "run";  // that step
};

bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
         syscall(SYS_capset, &header, none.data()) == 0;
}

bool limit(__rlimit_resource resource) {
  const rlimit none{0, 0};
  return setrlimit(resource, &none) == 0;
}

bool reset_signals() {
  struct sigaction ordinary {};
  ordinary.sa_handler = SIG_DFL;  // what is ignored here stays so over an exec
  sigset_t nothing;
  sigemptyset(&nothing);
  return sigaction(SIGPIPE, &ordinary, nullptr) == 0 && sigprocmask(SIG_SETMASK, &nothing, nullptr) == 0;
}

bool lay_out_descriptors(const Launch& launch) {
  return dup2(launch.input, STDIN_FILENO) == STDIN_FILENO &&
         dup2(launch.output, STDOUT_FILENO) == STDOUT_FILENO &&
         dup2(launch.output, STDERR_FILENO) == STDERR_FILENO && close_range(3, ~0U, 0) == 0;
}

[[noreturn]] void become_program(Launch& launch) {
  const auto must = [&](bool done, const char* step) {
    if (done) return;
    launch.error = errno;
    launch.step = step;
    _exit(127);
  };
  must(setsid() >= 0, "lead a session");
  must(lay_out_descriptors(launch), "lay out its descriptors");
  must(chdir("/") == 0, "go to /");
  umask(022);
  // A program that hangs must not do so at real-time priority, nor lock memory, nor leave core files.
  must(limit(RLIMIT_RTPRIO) && limit(RLIMIT_MEMLOCK) && limit(RLIMIT_CORE), "set its limits");
  must(drop_capabilities(), "drop its capabilities");
  must(reset_signals(), "reset its signals");
  execve(launch.path, launch.arguments, launch.environment);
  must(false, "be run");
  _exit(127);
}

// A function of its own: what vfork's second return finds on the stack is what the first one left there.
[[gnu::noinline]] pid_t launch_it(Launch& launch) {
  const pid_t child = vfork();
  if (child == 0) become_program(launch);
  return child;
}

pid_t launch_without_signals(Launch& launch) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a handler of ours must not run in the child
  const pid_t child = launch_it(launch);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return child;
}

Error failed(const std::string& what, int code) {
  return {what + ": " + std::strerror(code), code};
}

}  // namespace

Result<ConfinedProcess> start_confined(const std::string& path, const std::vector<std::string>& environment) {
  std::array<int, 2> output{};
  if (pipe2(output.data(), O_CLOEXEC | O_NONBLOCK) != 0) return tl::unexpected(failed("no pipe", errno));
  fcntl(output[1], F_SETFL, 0);  // for the program, writing is as it is everywhere
  std::vector<char*> variables;
  for (const std::string& one : environment) variables.push_back(const_cast<char*>(one.c_str()));
  variables.push_back(nullptr);
  const std::array<char*, 2> arguments = {const_cast<char*>(path.c_str()), nullptr};
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  Launch launch{path.c_str(), arguments.data(), variables.data(), null, output[1]};
  const pid_t child = launch_without_signals(launch);
  const int code = errno;
  close(null);
  close(output[1]);
  ConfinedProcess process{child, -1, output[0]};
  if (child > 0 && launch.error == 0) process.end_fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  if (process.end_fd >= 0) return process;
  close(output[0]);
  if (child < 0) return tl::unexpected(failed("no process", code));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (launch.error == 0) return tl::unexpected(failed("its end cannot be waited for", code));
  return tl::unexpected(failed(std::string("it cannot ") + launch.step, launch.error));
}

}  // namespace nlb
