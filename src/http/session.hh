// SPDX-License-Identifier: Apache-2.0
// One connection of the HTTP server, over TCP or TLS: read a request, have it handled, write the answer,
// again. Included by server.cc alone: Beast is dear to compile.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <deque>
#include <exception>
#include <optional>
#include <type_traits>

#include "http/server.hh"

namespace nlb::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

class Connection : public Stream {
 public:
  virtual void end() = 0;  // on the sockets' thread, or when it is gone
};

// What all connections of a server share.
struct Shared {
  Options options;
  Handler handler;
  asio::io_context io{1};
  asio::thread_pool workers;
  std::atomic<std::size_t> connections{0};
  std::vector<std::weak_ptr<Connection>> open;  // those that ended are swept out as others come
  Shared(const Options& given, Handler handles)
      : options(given), handler(std::move(handles)), workers(std::max(1U, given.workers)) {}
};

[[nodiscard]] Request request_of(const beast::http::request<beast::http::string_body>& message);

template <typename StreamType>
class Session final : public Connection, public std::enable_shared_from_this<Session<StreamType>> {
  static constexpr bool kTls = std::is_same_v<StreamType, TlsStream>;
  using Parser = beast::http::request_parser<beast::http::string_body>;
  using Message = beast::http::response<beast::http::string_body>;
  using Header = beast::http::response<beast::http::empty_body>;

 public:
  template <typename... Arguments>
  Session(std::shared_ptr<Shared> shared, Arguments&&... arguments)
      : shared_(std::move(shared)), stream_(std::forward<Arguments>(arguments)...), timer_(shared_->io) {
    ++shared_->connections;
  }
  ~Session() override { --shared_->connections; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() {
    boost::system::error_code code;
    const auto remote = lowest().socket().remote_endpoint(code);
    peer_ = code ? "" : remote.address().to_string();
    if constexpr (kTls) {
      lowest().expires_after(shared_->options.limits.request);
      stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](auto failed) {
        if (!failed) self->read();
      });
    } else {
      read();
    }
  }

  void push(std::shared_ptr<const std::string> bytes) override {
    asio::post(shared_->io, [self = this->shared_from_this(), bytes = std::move(bytes)] {
      self->waiting_bytes_ += bytes->size();
      self->waiting_.push_back(bytes);
      if (self->waiting_bytes_ > self->shared_->options.limits.waiting_bytes) return self->close();
      if (self->waiting_.size() == 1) self->write_next();
    });
  }
  [[nodiscard]] bool closed() const override { return closed_; }
  void end() override { close(); }

 private:
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }

  void close() {
    closed_ = true;
    timer_.cancel();
    lowest().close();
  }

  void read() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(shared_->options.limits.header_bytes));
    parser_->body_limit(shared_->options.limits.body_bytes);
    lowest().expires_after(shared_->options.limits.request);
    beast::http::async_read(
        stream_, buffer_, *parser_,
        [self = this->shared_from_this()](auto code, std::size_t) { self->has_read(code); });
  }

  void has_read(boost::system::error_code code) {
    namespace http = beast::http;
    if (code == http::error::body_limit) return refuse(413, "the body is too large");
    if (code == http::error::header_limit || code == http::error::buffer_overflow)
      return refuse(431, "the header is too large");
    if (code.category() == http::make_error_code(http::error::bad_method).category() &&
        code != http::error::end_of_stream && code != http::error::partial_message)
      return refuse(400, "this is no HTTP request");
    if (code) return close();
    keep_alive_ = parser_->get().keep_alive();
    head_ = parser_->get().method() == http::verb::head;
    lowest().expires_never();
    asio::post(shared_->workers, [self = this->shared_from_this(), message = parser_->release()] {
      auto request = request_of(message);
      request.peer = self->peer_;
      request.secure = kTls;
      auto answer = std::make_shared<Answer>(self->handled(request));
      asio::post(self->shared_->io, [self, answer] { self->answer_later(answer); });
    });
  }

  // What is thrown on a worker's thread would end the program, for everybody.
  Answer handled(const Request& request) {
    try {
      return shared_->handler(request);
    } catch (const std::exception& error) {
      Answer answer;
      answer.status = 500;
      answer.body = std::string("internal error: ") + error.what() + "\n";
      return answer;
    }
  }

  void refuse(unsigned status, const char* why) {
    keep_alive_ = false;
    auto answer = std::make_shared<Answer>();
    answer->status = status;
    answer->body = std::string(why) + "\n";
    send(answer);
  }

  void answer_later(const std::shared_ptr<Answer>& answer) {
    if (answer->delay.count() == 0) return send(answer);
    timer_.expires_after(answer->delay);
    timer_.async_wait([self = this->shared_from_this(), answer](auto code) {
      if (!code) self->send(answer);
    });
  }

  template <typename Response>
  void fill_header(Response& response, const Answer& answer) {
    response.result(answer.status);
    response.version(11);
    response.set(beast::http::field::content_type, answer.type);
    for (const auto& [name, value] : shared_->options.headers) response.set(name, value);
    for (const auto& [name, value] : answer.headers) response.insert(name, value);
  }

  void send(const std::shared_ptr<Answer>& answer) {
    if (answer->stream) return send_stream(answer);
    auto message = std::make_shared<Message>();
    fill_header(*message, *answer);
    message->keep_alive(keep_alive_);
    message->content_length(answer->body.size());
    if (!head_) message->body() = std::move(answer->body);
    lowest().expires_after(shared_->options.limits.write);
    beast::http::async_write(stream_, *message,
                             [self = this->shared_from_this(), message](auto code, std::size_t) {
                               if (code || !self->keep_alive_) return self->close();
                               self->read();
                             });
  }

  // The end of the body is the end of the connection.
  void send_stream(const std::shared_ptr<Answer>& answer) {
    auto header = std::make_shared<Header>();
    fill_header(*header, *answer);
    header->keep_alive(false);
    auto serializer = std::make_shared<beast::http::response_serializer<beast::http::empty_body>>(*header);
    lowest().expires_after(shared_->options.limits.write);
    beast::http::async_write_header(
        stream_, *serializer,
        [self = this->shared_from_this(), header, serializer, answer](auto code, std::size_t) {
          if (code) return self->close();
          self->watch();
          asio::post(self->shared_->workers, [self, answer] { answer->stream(self); });
        });
  }

  // A reader of a stream sends nothing more: whatever comes, its end first of all, ends the stream.
  void watch() {
    lowest().expires_never();
    stream_.async_read_some(asio::buffer(&byte_, 1),
                            [self = this->shared_from_this()](auto, std::size_t) { self->close(); });
  }

  void write_next() {
    if (closed_ || waiting_.empty()) return;
    timer_.expires_after(shared_->options.limits.write);
    timer_.async_wait([self = this->shared_from_this()](auto code) {
      if (!code) self->close();
    });
    asio::async_write(stream_, asio::buffer(*waiting_.front()),
                      [self = this->shared_from_this()](auto code, std::size_t) {
                        self->timer_.cancel();
                        if (code) return self->close();
                        self->waiting_bytes_ -= self->waiting_.front()->size();
                        self->waiting_.pop_front();
                        self->write_next();
                      });
  }

  std::shared_ptr<Shared> shared_;
  StreamType stream_;
  asio::steady_timer timer_;
  beast::flat_buffer buffer_{65536 + 8192};
  std::optional<Parser> parser_;
  std::deque<std::shared_ptr<const std::string>> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::string peer_;
  std::atomic<bool> closed_{false};
  bool keep_alive_ = false, head_ = false;
  char byte_ = 0;
};

}  // namespace nlb::http
