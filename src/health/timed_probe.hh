// SPDX-License-Identifier: Apache-2.0
// What all probes share: one finding, in time.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "health/probe.hh"

namespace nlb {

class TimedProbe : public Probe, public std::enable_shared_from_this<TimedProbe> {
 public:
  TimedProbe(boost::asio::io_context& io, HealthCheck check);
  void begin(Found found) final;
  void give_up() final;

 protected:
  virtual void run() = 0;
  // Ends whatever is under way; handlers that still come find is_over().
  virtual void end() = 0;
  void finish(bool good, const std::string& detail);
  [[nodiscard]] bool is_over() const { return !found_; }
  [[nodiscard]] const HealthCheck& check() const { return check_; }

 private:
  HealthCheck check_;
  boost::asio::steady_timer timer_;
  Found found_;
};

// By type; each in a file of its own, as their headers are heavy.
[[nodiscard]] std::shared_ptr<Probe> make_tcp_probe(boost::asio::io_context& io, const HealthCheck& check);
[[nodiscard]] std::shared_ptr<Probe> make_http_probe(boost::asio::io_context& io, const HealthCheck& check);
[[nodiscard]] std::shared_ptr<Probe> make_exec_probe(boost::asio::io_context& io, const HealthCheck& check,
                                                     std::vector<std::string> environment);

}  // namespace nlb
