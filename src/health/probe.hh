// SPDX-License-Identifier: Apache-2.0
// One run of one health check: asks the service once, within the check's time limit, and says what it found.
// Nothing here knows of rules or of what follows.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/health_check.hh"

namespace nlb {

struct Finding {
  bool good = false;
  std::string detail;  // one line for people: what was found
};

class Probe {
 public:
  using Found = std::function<void(const Finding&)>;
  virtual ~Probe() = default;
  // `found` is called once, on the loop's thread and not later than the check's timeout_ms. The probe keeps
  // itself alive until nothing of it is left: no open connection, no process.
  virtual void begin(Found found) = 0;
  // `found` is not called any more, and the run ends.
  virtual void give_up() = 0;
};

// `environment`: NAME=VALUE of the program that a check of type exec runs; it has no other.
[[nodiscard]] std::shared_ptr<Probe> make_probe(boost::asio::io_context& io, const HealthCheck& check,
                                                std::vector<std::string> environment);

}  // namespace nlb
