// SPDX-License-Identifier: Apache-2.0
// What the console looks at: clusters and switches, each behind one control socket or several. Which a socket
// leads to is asked of it; sockets of one cluster stand in for each other.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hh"
#include "console/ssh_tunnel.hh"

namespace nlb::console {

enum class Kind { cluster, hypervisor };
[[nodiscard]] const char* name_of(Kind kind);

// One cluster or one hypervisor's switches.
class Target {
 public:
  Target(std::string id, Kind kind, std::string name)
      : id_(std::move(id)), name_(std::move(name)), kind_(kind) {}
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Kind kind() const { return kind_; }
  void add(const std::string& socket, const std::string& role);  // known already: its role now
  // Of the first socket that answers; the error of the last one when none does.
  [[nodiscard]] Result<nlohmann::json> ask(const nlohmann::json& request, int timeout_ms = 5000);
  // Of the socket that answers now, and of no other: what changes something is not asked twice.
  [[nodiscard]] Result<nlohmann::json> command(const nlohmann::json& request, int timeout_ms);
  // The same as ask(), but an answer that is younger than this is good enough, and two who ask at once ask
  // once.
  [[nodiscard]] Result<nlohmann::json> ask_shared(const nlohmann::json& request,
                                                  std::chrono::milliseconds age);
  // id, kind, name, role, connected, error, sockets
  [[nodiscard]] nlohmann::json summary() const;

 private:
  struct Socket {
    std::string path, role;
  };
  struct Shared {
    std::mutex asking;
    std::chrono::steady_clock::time_point at{};
    Result<nlohmann::json> answer = nlohmann::json();
  };
  void forget_old(std::chrono::milliseconds age);
  const std::string id_, name_;
  const Kind kind_;
  mutable std::mutex mutex_;
  std::vector<Socket> sockets_;
  std::size_t current_ = 0;
  std::string error_;
  std::map<std::string, std::shared_ptr<Shared>> shared_;
};

class Fleet {
 public:
  using Found = std::function<void(const std::shared_ptr<Target>&)>;
  struct Places {
    std::vector<std::string> sockets;
    std::vector<SshPlace> machines;
    std::string runtime_root =
        "/run/opennlb";  // neither sockets nor machines: all below, looked for again and again
  };
  Fleet(const Places& places, Found found);
  ~Fleet();
  [[nodiscard]] std::vector<std::shared_ptr<Target>> targets() const;
  [[nodiscard]] std::shared_ptr<Target> find(const std::string& id) const;
  // Sockets of which nobody has answered yet, with the reason.
  [[nodiscard]] nlohmann::json silent() const;

 private:
  void look();
  [[nodiscard]] std::vector<std::string> sockets_now() const;
  void identify(const std::string& socket);
  std::shared_ptr<Target> target_for(Kind kind, const std::string& name);

  const Places places_;
  std::vector<std::unique_ptr<SshTunnel>> tunnels_;
  const Found found_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  unsigned looks_ = 0;                          // on its thread
  std::map<std::string, std::string> silent_;   // socket, reason
  std::map<std::string, std::string> belongs_;  // socket, target's id
  std::vector<std::shared_ptr<Target>> targets_;
  std::thread thread_;
};

}  // namespace nlb::console
