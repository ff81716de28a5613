// SPDX-License-Identifier: Apache-2.0
// `nlb doctor` for those who are elsewhere: this host is examined on a thread of its own, since that takes
// two seconds, and who asks is told what was found last.
#pragma once

#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/net.hh"
#include "doctor/check.hh"

namespace nlb {

class Examination {
 public:
  Examination(std::string socket, std::string config)
      : socket_(std::move(socket)), config_(std::move(config)) {}
  ~Examination();
  // {"checks":[…],"unjudged":[ids],"age_ms":N,"running":true}: begins a new one when the last is older than
  // five seconds. Unjudged: what only root can see.
  [[nodiscard]] nlohmann::json look();

 private:
  void examine();
  const std::string socket_, config_;
  std::mutex mutex_;
  std::thread thread_;
  bool running_ = false;
  std::optional<Nanos> ended_;
  std::vector<doctor::Check> checks_;
};

}  // namespace nlb
