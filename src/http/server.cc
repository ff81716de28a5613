// SPDX-License-Identifier: Apache-2.0
#include "http/server.hh"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cctype>
#include <thread>

#include "http/session.hh"

namespace nlb::http {
namespace {

using Tcp = asio::ip::tcp;

std::map<std::string, std::string> query_of(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const auto pair = text.substr(0, end);
    const auto equals = std::min(pair.find('='), pair.size());
    if (equals > 0)
      query[decoded(pair.substr(0, equals))] = decoded(pair.substr(std::min(equals + 1, pair.size())));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return query;
}

class BeastServer final : public Server {
 public:
  BeastServer(const Options& options, Handler handler)
      : shared_(std::make_shared<Shared>(options, std::move(handler))), acceptor_(shared_->io) {}

  ~BeastServer() override {
    shared_->io.stop();
    if (thread_.joinable()) thread_.join();
    shared_->workers.stop();
    shared_->workers.join();
    // What waits in the loop holds its connection, and that the loop: let each come to its end.
    for (const auto& connection : shared_->open)
      if (const auto alive = connection.lock()) alive->end();
    acceptor_.close();
    pause_.cancel();
    shared_->io.restart();
    shared_->io.poll();
  }

  Result<void> open() {
    const auto& options = shared_->options;
    if (options.certificate.empty() != options.key.empty())
      return fail("a certificate and its key go together: give both or none");
    if (!options.certificate.empty())
      if (auto done = open_tls(); !done) return done;
    boost::system::error_code code;
    const auto address = asio::ip::make_address(options.address, code);
    if (code) return fail(options.address + " is no address to listen on");
    const Tcp::endpoint endpoint(address, options.port);
    acceptor_.open(endpoint.protocol(), code);
    if (!code) acceptor_.set_option(Tcp::acceptor::reuse_address(true), code);
    if (!code) acceptor_.bind(endpoint, code);
    if (!code) acceptor_.listen(asio::socket_base::max_listen_connections, code);
    if (code)
      return fail(options.address + ":" + std::to_string(options.port) + ": " + code.message(), code.value());
    accept();
    thread_ = std::thread([shared = shared_] { shared->io.run(); });
    return {};
  }

  [[nodiscard]] uint16_t port() const override {
    boost::system::error_code code;
    return acceptor_.local_endpoint(code).port();
  }

 private:
  Result<void> open_tls() {
    boost::system::error_code code;
    tls_.emplace(asio::ssl::context::tls_server);
    tls_->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                          asio::ssl::context::no_tlsv1_1 | asio::ssl::context::no_compression,
                      code);
    if (!code) tls_->use_certificate_chain_file(shared_->options.certificate, code);
    if (code) return fail(shared_->options.certificate + ": no certificate chain in PEM: " + code.message());
    tls_->use_private_key_file(shared_->options.key, asio::ssl::context::pem, code);
    if (code) return fail(shared_->options.key + ": not the certificate's key in PEM: " + code.message());
    return {};
  }

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code code, Tcp::socket socket) {
      if (code == asio::error::operation_aborted) return;
      if (!code && shared_->connections < shared_->options.limits.connections) serve(std::move(socket));
      if (code && code != asio::error::connection_aborted) return accept_later();
      accept();
    });
  }

  // Out of descriptors, say: trying at once again would only burn time.
  void accept_later() {
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([this](auto code) {
      if (!code) accept();
    });
  }

  void serve(Tcp::socket socket) {
    std::erase_if(shared_->open, [](const auto& connection) { return connection.expired(); });
    const auto begin = [&](auto session) {
      shared_->open.push_back(session);
      session->start();
    };
    if (tls_)
      begin(std::make_shared<Session<TlsStream>>(shared_, std::move(socket), *tls_));
    else
      begin(std::make_shared<Session<PlainStream>>(shared_, std::move(socket)));
  }

  std::shared_ptr<Shared> shared_;
  Tcp::acceptor acceptor_;
  asio::steady_timer pause_{shared_->io};
  std::optional<asio::ssl::context> tls_;
  std::thread thread_;
};

int hex_value(char character) {
  const auto low = static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
  if (low >= '0' && low <= '9') return low - '0';
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

}  // namespace

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string Request::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

Request request_of(const beast::http::request<beast::http::string_body>& message) {
  Request request;
  request.method = std::string(message.method_string());
  const std::string target(message.target());
  const auto question = std::min(target.find('?'), target.size());
  request.path = target.substr(0, question);
  request.query = query_of(std::string_view(target).substr(std::min(question + 1, target.size())));
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char character) { return static_cast<char>(std::tolower(character)); });
    // A header that is given twice is neither.
    const auto [at, added] = request.headers.emplace(name, std::string(field.value()));
    if (!added) at->second += ", " + std::string(field.value());
  }
  request.body = message.body();
  return request;
}

Result<std::unique_ptr<Server>> Server::listen(const Options& options, Handler handler) {
  auto server = std::make_unique<BeastServer>(options, std::move(handler));
  if (auto done = server->open(); !done) return tl::unexpected(done.error());
  return server;
}

}  // namespace nlb::http
