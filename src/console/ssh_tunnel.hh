// SPDX-License-Identifier: Apache-2.0
// Control sockets of another machine, brought here by the system's own ssh: its keys, its configuration, its
// known hosts. It never asks for a password; what it says is shown. Who we are there is who ssh logs in as,
// and the daemons there judge him.
//
// Each socket there gets a socket in a private directory here (ssh -L), so that nothing else of the console
// knows of ssh. A tunnel that ends is made anew, with a pause that grows.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hh"

namespace nlb::console {

// ssh://[USER@]HOST[:PORT][/SOCKET]; an IPv6 address in brackets. No socket: all of that machine.
struct SshPlace {
  std::string text;         // as given
  std::string destination;  // [USER@]HOST, as ssh takes it
  std::string port;         // empty: ssh's own choice
  std::string socket;       // empty: all below /run/opennlb
};
[[nodiscard]] Result<SshPlace> parse_ssh_place(const std::string& text);

class SshTunnel {
 public:
  // In the directory of this name, which must be there, and be ours alone.
  SshTunnel(SshPlace place, std::string directory);
  ~SshTunnel();  // ends ssh, and removes the directory
  SshTunnel(const SshTunnel&) = delete;
  SshTunnel& operator=(const SshTunnel&) = delete;

  [[nodiscard]] const std::string& text() const { return place_.text; }
  // Those that ssh listens on now.
  [[nodiscard]] std::vector<std::string> sockets() const;
  // The one there, to which a socket here leads; empty for others'.
  [[nodiscard]] std::string text_of(const std::string& socket) const;
  [[nodiscard]] std::string said()
      const;  // the last words of ssh while it runs: why a socket does not answer
  // Why there is none; empty while there is one.
  [[nodiscard]] std::string trouble() const;

 private:
  struct Ended {
    bool good = false;
    std::string out, said;
  };
  void run();
  [[nodiscard]] bool pause(std::chrono::milliseconds time);  // false: it is over
  [[nodiscard]] std::vector<std::string> words_before() const;
  [[nodiscard]] Result<std::vector<std::string>> sockets_there();
  [[nodiscard]] Ended run_ssh(std::vector<std::string> words);
  void say(const std::string& trouble);

  const SshPlace place_;
  const std::string directory_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  pid_t child_ = 0;
  std::string trouble_ = "ssh is connecting";
  std::string said_;                         // the last line of ssh that runs
  std::map<std::string, std::string> here_;  // the socket here, the one there
  std::thread thread_;
};

}  // namespace nlb::console
