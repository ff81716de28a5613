// SPDX-License-Identifier: Apache-2.0
#include "nlbd/examination.hh"

#include <nlohmann/json.hpp>

#include "doctor/gather.hh"
#include "linux/clock.hh"
#include "linux/named_thread.hh"

namespace nlb {
namespace {

constexpr Nanos kFresh = 5 * kSecond;

// What looks at other programs or makes namespaces: nlbd keeps no right to do so, and would see it wrong.
bool is_for_root(const std::string& id) {
  return id == "kernel.bpffs" || id == "kernel.clsact" || id == "net.filter" || id == "net.xdp";
}

}  // namespace

Examination::~Examination() {
  if (thread_.joinable()) thread_.join();
}

void Examination::examine() {
  doctor::Request request;
  request.config_path = config_;
  request.socket = socket_;
  auto checks = doctor::examine(doctor::gather(request));
  const std::lock_guard lock(mutex_);
  checks_ = std::move(checks);
  ended_ = boottime_now();
  running_ = false;
}

nlohmann::json Examination::look() {
  const std::lock_guard lock(mutex_);
  const Nanos now = boottime_now();
  if (!running_ && (!ended_ || now - *ended_ > kFresh)) {
    if (thread_.joinable()) thread_.join();
    running_ = true;
    thread_ = named_thread("nlbd-doctor", [this] { examine(); });
  }
  auto checks = nlohmann::json::array(), unjudged = nlohmann::json::array();
  for (const auto& check : checks_) {
    if (is_for_root(check.id)) {
      unjudged.push_back(check.id);
      continue;
    }
    checks.push_back({{"id", check.id},
                      {"status", doctor::name_of(check.status)},
                      {"detail", check.detail},
                      {"remedy", check.remedy}});
  }
  return {{"checks", checks},
          {"unjudged", unjudged},
          {"age_ms", ended_ ? (now - *ended_) / kMillisecond : -1},
          {"running", running_}};
}

}  // namespace nlb
