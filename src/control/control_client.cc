// SPDX-License-Identifier: Apache-2.0
// One connection, one line out, one line in, within one time limit.
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "control/config_section.hh"
#include "control/config_values.hh"
#include "control/control.hh"
#include "control/control_message.hh"
#include "control/control_socket.hh"

namespace nlb {
namespace {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

constexpr int kUsage = 2, kNoDaemon = 3, kNotPermitted = 4;

// connect, write, read: each step begins the next, so that a single time limit covers all.
class Exchange {
 public:
  explicit Exchange(std::string line) : line_(std::move(line)), answer_(kMaxAnswerBytes) {}

  boost::system::error_code run(const std::string& path, int timeout_ms) {
    socket_.async_connect(Local::endpoint(path), [this](auto code) { connected(code); });
    io_.run_for(std::chrono::milliseconds(timeout_ms));
    return io_.stopped() ? result_ : asio::error::timed_out;
  }

  [[nodiscard]] std::string text() const {
    const auto* data = static_cast<const char*>(answer_.data().data());
    return std::string(data, size_);
  }

 private:
  void connected(boost::system::error_code code) {
    result_ = code;
    if (!code)
      asio::async_write(socket_, asio::buffer(line_), [this](auto next, std::size_t) { written(next); });
  }
  void written(boost::system::error_code code) {
    result_ = code;
    if (!code)
      asio::async_read_until(socket_, answer_, '\n',
                             [this](auto next, std::size_t size) { finished(next, size); });
  }
  void finished(boost::system::error_code code, std::size_t size) {
    result_ = code;
    size_ = code ? 0 : size;
  }

  asio::io_context io_{1};
  Local::socket socket_{io_};
  std::string line_;
  asio::streambuf answer_;
  std::size_t size_ = 0;
  boost::system::error_code result_;
};

Error explain(const boost::system::error_code& code, const std::string& path, int timeout_ms) {
  if (code == asio::error::access_denied || code == boost::system::errc::operation_not_permitted)
    return {path + ": not permitted; run nlb as root", kNotPermitted};
  if (code == boost::system::errc::no_such_file_or_directory)
    return {path + ": no daemon there; is nlbd running?", kNoDaemon};
  if (code == asio::error::connection_refused)
    return {path + ": the daemon that made this socket is gone; start nlbd", kNoDaemon};
  if (code == asio::error::timed_out)
    return {path + ": the daemon did not answer within " + std::to_string(timeout_ms) + " ms", kNoDaemon};
  if (code == asio::error::eof)
    return {path + ": the daemon closed the connection without an answer", kNoDaemon};
  return {path + ": " + code.message(), kNoDaemon};
}

}  // namespace

Result<nlohmann::json> ask(const std::string& socket_path, const nlohmann::json& request, int timeout_ms) {
  if (socket_path.size() > kMaxSocketPathBytes)
    return fail(socket_path + ": longer than the " + std::to_string(kMaxSocketPathBytes) +
                    " bytes of a socket's path",
                kUsage);
  auto line = to_line(request);
  if (line.size() > kMaxRequestBytes) return fail("the request is larger than 64 KiB", kUsage);
  Exchange exchange(std::move(line));
  if (const auto code = exchange.run(socket_path, timeout_ms))
    return tl::unexpected(explain(code, socket_path, timeout_ms));
  return read_answer(exchange.text(), socket_path);
}

Result<std::string> find_socket(const std::string& cluster, const std::string& runtime_root) {
  namespace fs = std::filesystem;
  const auto socket_of = [&](const std::string& name) { return runtime_root + "/" + name + "/control.sock"; };
  if (!cluster.empty() && !is_cluster_name(cluster))
    return fail(
        "\"" + cluster + "\" cannot be a cluster's name; allowed: 1 to 32 letters, digits, \"-\" and \"_\"",
        kUsage);
  std::vector<std::string> all, live;
  std::error_code code;
  for (fs::directory_iterator at(runtime_root, code), end; !code && at != end; at.increment(code)) {
    const auto name = at->path().filename().string();
    const auto state = name == "vmswitch" ? SocketState::absent : probe_socket(socket_of(name));
    if (state == SocketState::absent || state == SocketState::not_socket) continue;
    all.push_back(name);
    if (state != SocketState::stale) live.push_back(name);
  }
  std::sort(all.begin(), all.end());
  std::sort(live.begin(), live.end());
  if (!cluster.empty() && (probe_socket(socket_of(cluster)) != SocketState::absent))
    return socket_of(cluster);
  if (!cluster.empty())
    return fail("no nlbd for cluster \"" + cluster + "\" in " + runtime_root +
                    (all.empty() ? "; nothing runs here" : "; there is " + joined(all)),
                kNoDaemon);
  if (live.size() > 1)
    return fail("several clusters on this host: name one with --cluster (" + joined(live) + ")", kUsage);
  if (live.size() == 1) return socket_of(live.front());
  if (!all.empty()) return socket_of(all.front());  // the caller's ask() says that its daemon is gone
  if (code && code != std::errc::no_such_file_or_directory)
    return fail(runtime_root + ": " + code.message() + "; run nlb as root", kNotPermitted);
  return fail("no nlbd runs on this host (nothing in " + runtime_root + ")", kNoDaemon);
}

}  // namespace nlb
