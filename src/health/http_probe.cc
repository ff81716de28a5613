// SPDX-License-Identifier: Apache-2.0
// Types http and https: one GET, its status, and, where a text is expected, the first 64 KiB of the body.
// Redirections are not followed. A certificate is not judged: the connection never leaves this host, and the
// name in the certificate is the service's, not the address that is asked.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>

#include "health/target.hh"
#include "health/timed_probe.hh"

namespace nlb {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Code = boost::system::error_code;
using Tcp = asio::ip::tcp;
using Tls = asio::ssl::stream<Tcp::socket>;

constexpr std::size_t kMostBody = 64 * 1024;

class HttpProbe final : public TimedProbe {
 public:
  HttpProbe(asio::io_context& io, const HealthCheck& check)
      : TimedProbe(io, check), tls_(asio::ssl::context::tls_client), stream_(io, tls_) {
    tls_.set_verify_mode(asio::ssl::verify_none);
    parser_.body_limit(boost::none);  // bounded below, where what was read can still be looked at
  }

 private:
  [[nodiscard]] bool is_tls() const { return check().type == HealthType::https; }
  [[nodiscard]] std::shared_ptr<HttpProbe> self() {
    return std::static_pointer_cast<HttpProbe>(shared_from_this());
  }

  void run() override {
    stream_.next_layer().async_connect(endpoint_of_target(check().target), [me = self()](Code error) {
      if (error) return me->finish(false, error.message());
      if (me->is_tls()) return me->shake_hands();
      me->ask();
    });
  }

  void shake_hands() {
    if (!check().host.empty() && SSL_set_tlsext_host_name(stream_.native_handle(), check().host.c_str()) != 1)
      return finish(false, "TLS: the server's name cannot be set");
    stream_.async_handshake(asio::ssl::stream_base::client, [me = self()](Code error) {
      if (error) return me->finish(false, "TLS: " + error.message());
      me->ask();
    });
  }

  void ask() {
    if (is_over()) return;
    request_ = {http::verb::get, check().path, 11};
    request_.set(http::field::host, check().host.empty() ? check().target : check().host);
    request_.set(http::field::user_agent, "nlbd/" NLB_VERSION " (health check)");
    request_.set(http::field::connection, "close");
    const auto asked = [me = self()](Code error, std::size_t) {
      if (error) return me->finish(false, "the request cannot be sent: " + error.message());
      me->read_header();
    };
    if (is_tls())
      http::async_write(stream_, request_, asked);
    else
      http::async_write(stream_.next_layer(), request_, asked);
  }

  void read_header() {
    if (is_over()) return;
    const auto read = [me = self()](Code error, std::size_t) {
      if (error) return me->finish(false, "no HTTP answer: " + error.message());
      me->judge_status();
    };
    if (is_tls())
      http::async_read_header(stream_, buffer_, parser_, read);
    else
      http::async_read_header(stream_.next_layer(), buffer_, parser_, read);
  }

  void judge_status() {
    if (is_over()) return;
    const unsigned status = parser_.get().result_int();
    const std::string said = "status " + std::to_string(status);
    if (status < check().first_status || status > check().last_status)
      return finish(false, said + "; expected " + std::to_string(check().first_status) + "-" +
                               std::to_string(check().last_status));
    if (check().expect_body.empty()) return finish(true, said);
    judge_body({});
  }

  // `error`: of reading the last piece of it, which is looked at all the same.
  void judge_body(Code error) {
    if (is_over()) return;
    const std::string_view body = std::string_view(parser_.get().body()).substr(0, kMostBody);
    const std::string said = "status " + std::to_string(parser_.get().result_int());
    if (body.find(check().expect_body) != std::string_view::npos)
      return finish(true, said + ", and the expected text");
    if (error) return finish(false, said + ", but the body breaks off: " + error.message());
    if (parser_.is_done() || parser_.get().body().size() >= kMostBody)
      return finish(false, said + ", but \"" + check().expect_body + "\" is not in " +
                               (parser_.is_done() ? "the body" : "the first 64 KiB of the body"));
    const auto read = [me = self()](Code failure, std::size_t) { me->judge_body(failure); };
    if (is_tls())
      http::async_read_some(stream_, buffer_, parser_, read);
    else
      http::async_read_some(stream_.next_layer(), buffer_, parser_, read);
  }

  void end() override {
    Code ignored;
    stream_.next_layer().close(ignored);
  }

  asio::ssl::context tls_;
  Tls stream_;  // its lower layer alone with type http
  http::request<http::empty_body> request_;
  boost::beast::flat_buffer buffer_{kMostBody};
  http::response_parser<http::string_body> parser_;
};

}  // namespace

std::shared_ptr<Probe> make_http_probe(asio::io_context& io, const HealthCheck& check) {
  return std::make_shared<HttpProbe>(io, check);
}

}  // namespace nlb
