// SPDX-License-Identifier: Apache-2.0
// The browsers that look on: each message is written down once and sent to all of them.
#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "http/server.hh"

namespace nlb::console {

class Live {
 public:
  static constexpr std::size_t kMost = 64;
  // False: there are too many already.
  [[nodiscard]] bool admit();
  // Begins with the newest state of everything.
  void join(std::shared_ptr<http::Stream> stream);
  // A state replaces the one of the same target; a passing message is for those who are there.
  void state(const std::string& target, const nlohmann::json& message);
  void pass(const char* event, const nlohmann::json& message);

 private:
  using Bytes = std::shared_ptr<const std::string>;
  void send(const Bytes& bytes);
  std::mutex mutex_;
  std::vector<std::shared_ptr<http::Stream>> streams_;
  std::map<std::string, Bytes> states_;
};

}  // namespace nlb::console
