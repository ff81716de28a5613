// SPDX-License-Identifier: Apache-2.0
// Type tcp: the service accepts a connection. It is closed at once, and nothing is said over it.
#include <boost/asio/ip/tcp.hpp>

#include "health/target.hh"
#include "health/timed_probe.hh"

namespace nlb {
namespace {

class TcpProbe final : public TimedProbe {
 public:
  TcpProbe(boost::asio::io_context& io, const HealthCheck& check) : TimedProbe(io, check), socket_(io) {}

 private:
  void run() override {
    socket_.async_connect(endpoint_of_target(check().target),
                          [this, self = shared_from_this()](const boost::system::error_code& error) {
                            finish(!error, error ? error.message() : "accepts connections");
                          });
  }
  void end() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  boost::asio::ip::tcp::socket socket_;
};

}  // namespace

std::shared_ptr<Probe> make_tcp_probe(boost::asio::io_context& io, const HealthCheck& check) {
  return std::make_shared<TcpProbe>(io, check);
}

}  // namespace nlb
