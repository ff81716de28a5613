// SPDX-License-Identifier: Apache-2.0
// The control socket: one JSON object a line each way over RUNTIME/control.sock.
//   request  {"command":"query", ...arguments}
//   answer   {"schema":1, ...}  or  {"schema":1,"error":{"message":"…","exit":1}}
// Exit codes as in the outside contract: 1 failed, 2 wrong usage, 3 no daemon, 4 not permitted.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.hh"
#include "control/role.hh"

namespace nlb {

// Client: one request, one answer. Error::code holds the exit code.
[[nodiscard]] Result<nlohmann::json> ask(const std::string& socket_path, const nlohmann::json& request,
                                         int timeout_ms = 10000);
// Finds the one instance on this host, or the named one: RUNTIME ROOT/<cluster>/control.sock.
[[nodiscard]] Result<std::string> find_socket(const std::string& cluster,
                                              const std::string& runtime_root = "/run/opennlb");

// Server: runs on its own thread with an own Asio io_context; handlers are called on that thread.
// The handler judges by the peer's role; what one user may take of the server is bounded (visitors.hh).
class ControlServer {
 public:
  using Handler = std::function<nlohmann::json(const nlohmann::json& request, const Peer& peer)>;
  // Requests that wait for other hosts are handled on threads of their own: nobody else waits with them.
  using Waits = std::function<bool(const nlohmann::json& request)>;
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> listen(const std::string& socket_path,
                                                                     Handler handler, Roles roles = {},
                                                                     Waits waits = nullptr);
  virtual ~ControlServer() = default;  // stops, joins, removes the socket
};

}  // namespace nlb
