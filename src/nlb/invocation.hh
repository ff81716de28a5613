// SPDX-License-Identifier: Apache-2.0
// What the command line asked for.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace nlb {

// Exit codes of the outside contract; also Error::code of what the control client returns.
enum ExitCode : int { kDone = 0, kFailed = 1, kUsage = 2, kNoDaemon = 3, kNotPermitted = 4 };

struct Invocation {
  std::string cluster;  // --cluster
  std::string socket;   // --socket
  bool json = false;

  std::string command;     // "query", "key rotate", …
  nlohmann::json request;  // for the daemon; null for commands that need none
  std::string member;      // CLUSTER:HOST, where HOST is no id: a name, an address, or 0
  bool wait = false;       // query --wait-converged, drainstop --wait
  bool follow = false;     // events --follow
  bool once = false;       // top --once
  std::optional<double> timeout_s;
  bool write = false;                      // vmswitch discover --write, netcfg --write
  std::string file;                        // keygen, key, vmswitch discover, import --output, netcfg --root
  std::string vip;                         // ip2mac
  std::string config;                      // doctor, switch-config, netcfg
  std::vector<std::string> words;          // of vmswitch's hooks; import's files; ports; init's VIPs
  std::string name, mode;                  // import, init; switch-config's vendor; completion's shell
  std::vector<std::string> interfaces;     // import --interface, switch-config --router-interface
  std::vector<std::string> managers;       // netcfg --manager
  std::string network_file;                // netcfg
  int vlan = 0;                            // switch-config
  int host_id = 0;                         // invite, join, init
  std::string token, interface;            // join; interface: init, too
  std::string directory = "/etc/opennlb";  // join, init
  std::string ports;                       // init
};

// On failure or --help the text is already printed; the exit code is returned.
[[nodiscard]] tl::expected<Invocation, int> parse_arguments(int argc, char** argv);

}  // namespace nlb
