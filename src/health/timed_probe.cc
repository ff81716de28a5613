// SPDX-License-Identifier: Apache-2.0
#include "health/timed_probe.hh"

#include <chrono>

namespace nlb {

TimedProbe::TimedProbe(boost::asio::io_context& io, HealthCheck check)
    : check_(std::move(check)), timer_(io) {}

void TimedProbe::begin(Found found) {
  found_ = std::move(found);
  timer_.expires_after(std::chrono::milliseconds(check_.timeout_ms));
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->finish(false, "no answer within " + std::to_string(self->check_.timeout_ms) + " ms");
  });
  run();
}

void TimedProbe::give_up() {
  found_ = nullptr;
  timer_.cancel();
  end();
}

void TimedProbe::finish(bool good, const std::string& detail) {
  if (is_over()) return;
  const Found found = std::exchange(found_, nullptr);
  timer_.cancel();
  end();
  found({good, detail});
}

std::shared_ptr<Probe> make_probe(boost::asio::io_context& io, const HealthCheck& check,
                                  std::vector<std::string> environment) {
  switch (check.type) {
    case HealthType::tcp:
      return make_tcp_probe(io, check);
    case HealthType::http:
    case HealthType::https:
      return make_http_probe(io, check);
    case HealthType::exec:
      break;
  }
  return make_exec_probe(io, check, std::move(environment));
}

}  // namespace nlb
