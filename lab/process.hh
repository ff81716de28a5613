// SPDX-License-Identifier: Apache-2.0
// Processes of the lab: programs run to their end, daemons started in a network namespace and found again.
//
// Namespaces are entered with setns(CLONE_NEWNET) alone. `ip netns exec` would also unshare the mount
// namespace and mount a /sys of its own, in which /sys/fs/bpf is empty: pins made there vanish with the
// process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb::lab {

// A process that is not mistaken for a later one with the same number.
struct ProcessId {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat
  bool operator==(const ProcessId&) const = default;
};

struct Finished {
  int exit_code = 0;   // 128 + signal when it was killed
  std::string output;  // stdout and stderr together
};

// Runs a program to its end. `network` is a named namespace, "" = the current one.
[[nodiscard]] Result<Finished> run(const std::vector<std::string>& command, const std::string& input = "",
                                   const std::string& network = "");
// As run(), but a non-zero exit is an error that quotes the command and its output.
[[nodiscard]] Result<void> must_run(const std::vector<std::string>& command, const std::string& input = "",
                                    const std::string& network = "");
// Starts a daemon of its own session; stdout and stderr are appended to the log file.
[[nodiscard]] Result<ProcessId> start_daemon(const std::vector<std::string>& command,
                                             const std::string& network, const std::string& log_file);

[[nodiscard]] std::optional<uint64_t> start_ticks(pid_t pid);  // nullopt: gone, or a zombie
[[nodiscard]] bool is_stopped(const ProcessId& process);       // by SIGSTOP
[[nodiscard]] bool is_alive(const ProcessId& process);
void send_signal(const ProcessId& process, int signal);  // only if it is still that process
// Waits until it is gone; false when it is still there after the time.
bool wait_gone(const ProcessId& process, int timeout_ms);

// The pid file: one line "PID START_TICKS".
[[nodiscard]] Result<void> write_pid_file(const std::string& path, const ProcessId& process);
[[nodiscard]] std::optional<ProcessId> read_pid_file(const std::string& path);

[[nodiscard]] std::string own_program();    // the path of this executable
[[nodiscard]] std::string own_directory();  // where it lies
// Another of our programs: beside nlb in a build tree, in ../sbin when installed; "" = it is not there.
[[nodiscard]] std::string program_beside(const std::string& name);
void put_own_directory_on_path();  // so that `nlb lab exec NODE -- nlb …` finds this nlb
void raise_descriptor_limit();     // thousands of sockets are the lab's daily bread

}  // namespace nlb::lab
