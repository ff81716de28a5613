// SPDX-License-Identifier: Apache-2.0
// The browsers that look on: each message is written down once and sent to all of them.
#pragma once

#include <atomic>
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
  using Place = std::shared_ptr<void>;  // held by who looks on, and by who is about to
  // Null: there are too many already.
  [[nodiscard]] Place admit();
  // Begins with the newest state of everything.
  void join(std::shared_ptr<http::Stream> stream, Place place);
  // A state replaces the one of the same target; a passing message is for those who are there.
  void state(const std::string& target, const nlohmann::json& message);
  void pass(const char* event, const nlohmann::json& message);

 private:
  using Bytes = std::shared_ptr<const std::string>;
  void send(const Bytes& bytes);
  std::mutex mutex_;
  struct Onlooker {
    std::shared_ptr<http::Stream> stream;
    Place place;
  };
  void sweep();
  const std::shared_ptr<std::atomic<std::size_t>> taken_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::vector<Onlooker> onlookers_;
  std::map<std::string, Bytes> states_;
};

}  // namespace nlb::console
