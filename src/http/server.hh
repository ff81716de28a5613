// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 server for what programs of OpenNLB show of themselves: the console and the metrics.
//
// Everything that comes from outside has a bound: bytes of header and body, time for a request, connections,
// what may wait for a slow reader. Handlers are ordinary functions on threads of their own, so they may
// block; the sockets' thread never does. The only translation unit that sees Beast is server.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hh"

namespace nlb::http {

struct Limits {
  std::size_t header_bytes = 8192;
  std::size_t body_bytes = 65536;
  std::size_t connections = 128;
  std::size_t waiting_bytes = 4 * 1024 * 1024;  // for a reader of a stream; one that is slower is let go
  std::chrono::milliseconds request{10000};     // from the first byte, or from the answer before, to the last
  std::chrono::milliseconds write{10000};
};

struct Request {
  std::string method;                          // "GET"
  std::string path;                            // without the query, as sent
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string peer;     // the address that asked
  bool secure = false;  // over TLS
  [[nodiscard]] std::string header(const std::string& name) const;
};

// The rest of an answer that has no end: what is pushed is sent. Safe to use from every thread.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void push(std::shared_ptr<const std::string> bytes) = 0;
  [[nodiscard]] virtual bool closed() const = 0;
};

struct Answer {
  unsigned status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::milliseconds delay{0};  // sent so much later; nobody else waits with it
  // Given: the body is a stream, and this gets it once the header is out.
  std::function<void(std::shared_ptr<Stream>)> stream;
};

using Handler = std::function<Answer(const Request&)>;

struct Options {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: one that is free
  unsigned workers = 1;
  std::string certificate, key;  // PEM files; both or none
  Limits limits;
  // Headers that every answer has, also the server's own refusals.
  std::vector<std::pair<std::string, std::string>> headers;
};

class Server {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Server>> listen(const Options& options, Handler handler);
  virtual ~Server() = default;  // stops and joins
  [[nodiscard]] virtual uint16_t port() const = 0;
};

// "%2F" and "+" of a query; malformed escapes stay as they are.
[[nodiscard]] std::string decoded(std::string_view text);

}  // namespace nlb::http
