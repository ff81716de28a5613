// SPDX-License-Identifier: Apache-2.0
// The web console: an HTTP API over the control sockets of clusters and switches, and the pages that use it.
// It holds no right of its own: each command is judged by the daemon that is asked, by who this process is.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "console/assets.hh"
#include "console/fleet.hh"
#include "console/live.hh"
#include "console/secret.hh"
#include "console/watch.hh"
#include "http/server.hh"

namespace nlb::console {

struct Settings {
  std::string address = "127.0.0.1";
  uint16_t port = 8420;
  std::string token_file, certificate, key, assets;
  Fleet::Places places;
};

class Console {
 public:
  explicit Console(const Settings& settings);
  [[nodiscard]] Result<void> start();
  [[nodiscard]] uint16_t port() const { return server_->port(); }
  [[nodiscard]] bool has_pages() const { return assets_.any(); }

 private:
  using Json = nlohmann::json;
  [[nodiscard]] http::Answer answer(const http::Request& request);
  [[nodiscard]] http::Answer answer_api(const http::Request& request);
  [[nodiscard]] http::Answer login(const http::Request& request);
  [[nodiscard]] http::Answer session_answer(const Session& session) const;
  [[nodiscard]] http::Answer live();
  [[nodiscard]] http::Answer targets() const;
  [[nodiscard]] http::Answer of_target(const http::Request& request, const std::string& rest);
  [[nodiscard]] http::Answer ask(Target& target, const http::Request& request, const std::string& what);
  [[nodiscard]] http::Answer command(Target& target, const http::Request& request, const std::string& name);
  [[nodiscard]] Watch* watch_of(const std::string& id);

  const Settings settings_;
  std::string token_;
  Sessions sessions_;
  WrongTokens wrong_tokens_;
  Assets assets_;
  Live live_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Watch>> watches_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<http::Server> server_;  // ends first
};

}  // namespace nlb::console
