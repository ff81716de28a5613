// SPDX-License-Identifier: Apache-2.0
// The service behind the VIP: says which host answers.
//   HTTP  /            body `host=<id>`, header X-NLB-Host: <id>
//         /slow?ms=N   the same, late
//         /stream?seconds=N[&bytes=B]   B bytes every 50 ms, each computable by the client from its place
//         alone
//   UDP   echoes `host=<id>` from the address it was asked at: a socket bound to 0.0.0.0 would answer from
//   the
//         host's dedicated address, and the client, who asked the VIP, would not take that for an answer.
// Boost.Beast is slow to compile and stays in this file.
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lab/process.hh"
#include "lab/tools.hh"

namespace nlb::lab {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using asio::ip::udp;

constexpr int kBacklog = 4096;
constexpr unsigned kMaxSlowMs = 600'000, kMaxStreamSeconds = 86'400, kMaxStreamBytes = 65'536;

// The number in `name=N` of a target's query, within 0 … most.
unsigned number_in(std::string_view target, std::string_view name, unsigned standard, unsigned most) {
  for (auto at = target.find_first_of("?&"); at != std::string_view::npos;
       at = target.find_first_of("?&", at + 1)) {
    const auto field = target.substr(at + 1);
    if (!field.starts_with(name) || field.substr(name.size(), 1) != "=") continue;
    const auto value = std::strtoul(std::string(field.substr(name.size() + 1)).c_str(), nullptr, 10);
    return value > most ? most : static_cast<unsigned>(value);
  }
  return standard;
}

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, unsigned host_id)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), host_(std::to_string(host_id)) {
    boost::system::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
  }

  void read() {
    request_ = {};
    http::async_read(socket_, buffer_, request_, [self = shared_from_this()](auto error, std::size_t) {
      if (!error) self->answer();
    });
  }

 private:
  void answer() {
    const std::string target(request_.target().data(), request_.target().size());
    const auto path = target.substr(0, target.find('?'));
    if (path == "/stream") return start_stream(target);
    if (path == "/") return reply(http::status::ok);
    if (path != "/slow") return reply(http::status::not_found);
    timer_.expires_after(std::chrono::milliseconds(number_in(target, "ms", 1000, kMaxSlowMs)));
    timer_.async_wait([self = shared_from_this()](auto error) {
      if (!error) self->reply(http::status::ok);
    });
  }

  void reply(http::status status) {
    response_ = {status, request_.version()};
    response_.set("X-NLB-Host", host_);
    response_.set(http::field::content_type, "text/plain");
    response_.keep_alive(request_.keep_alive());
    response_.body() = "host=" + host_ + "\n";
    response_.prepare_payload();
    http::async_write(socket_, response_, [self = shared_from_this()](auto error, std::size_t) {
      if (error) return;
      if (self->request_.keep_alive()) return self->read();
      boost::system::error_code ignored;
      self->socket_.shutdown(tcp::socket::shutdown_send, ignored);
    });
  }

  void start_stream(std::string_view target) {
    const unsigned seconds = number_in(target, "seconds", 10, kMaxStreamSeconds);
    chunk_bytes_ = number_in(target, "bytes", 500, kMaxStreamBytes);
    total_ = static_cast<uint64_t>(seconds) * kStreamTicksPerSecond * chunk_bytes_;
    next_tick_ = std::chrono::steady_clock::now();
    chunk_ = fmt::format(
        "HTTP/1.1 200 OK\r\nX-NLB-Host: {}\r\nContent-Type: application/octet-stream\r\n"
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        host_, total_);
    send_chunk();
  }

  void send_chunk() {
    asio::async_write(socket_, asio::buffer(chunk_), [self = shared_from_this()](auto error, std::size_t) {
      if (!error) self->wait_tick();
    });
  }

  void wait_tick() {
    if (sent_ >= total_) {
      boost::system::error_code ignored;
      socket_.shutdown(tcp::socket::shutdown_send, ignored);
      return;
    }
    next_tick_ += std::chrono::milliseconds(1000 / kStreamTicksPerSecond);
    timer_.expires_at(next_tick_);
    timer_.async_wait([self = shared_from_this()](auto error) {
      if (error) return;
      self->chunk_.resize(self->chunk_bytes_);
      for (char& byte : self->chunk_) byte = static_cast<char>(stream_byte(self->sent_++));
      self->send_chunk();
    });
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  std::string host_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
  std::string chunk_;
  std::size_t chunk_bytes_ = 0;
  uint64_t sent_ = 0, total_ = 0;
  std::chrono::steady_clock::time_point next_tick_;
};

class HttpServer {
 public:
  HttpServer(asio::io_context& io, const tcp::endpoint& endpoint, unsigned host_id)
      : acceptor_(io), host_id_(host_id) {
    acceptor_.open(endpoint.protocol());
    if (endpoint.protocol() == tcp::v6()) acceptor_.set_option(asio::ip::v6_only(true));
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen(kBacklog);
    accept();
  }

 private:
  void accept() {
    acceptor_.async_accept([this](auto error, tcp::socket socket) {
      if (!error) std::make_shared<Session>(std::move(socket), host_id_)->read();
      accept();
    });
  }
  tcp::acceptor acceptor_;
  unsigned host_id_;
};

class UdpEcho {
 public:
  UdpEcho(asio::io_context& io, const udp::endpoint& endpoint, unsigned host_id)
      : socket_(io), answer_(fmt::format("host={}\n", host_id)) {
    const int on = 1;
    socket_.open(endpoint.protocol());
    if (endpoint.protocol() == udp::v6()) {
      socket_.set_option(asio::ip::v6_only(true));
      setsockopt(socket_.native_handle(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    } else {
      setsockopt(socket_.native_handle(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    }
    socket_.bind(endpoint);
    socket_.non_blocking(true);
    wait();
  }

 private:
  void wait() {
    socket_.async_wait(udp::socket::wait_read, [this](auto error) {
      if (error) return;
      while (echo_one()) {
      }
      wait();
    });
  }

  template <typename Info, typename Change>
  static void change(cmsghdr* header, Change how) {
    Info info{};
    std::memcpy(&info, CMSG_DATA(header), sizeof info);
    how(info);
    std::memcpy(CMSG_DATA(header), &info, sizeof info);
  }

  bool echo_one() {
    std::array<char, 2048> datagram{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control{};
    sockaddr_storage from{};
    iovec part{datagram.data(), datagram.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(socket_.native_handle(), &message, 0) < 0) return false;
    // Sent back as it came, the control message makes the asked address the source; the interface is left
    // open.
    for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO)
        change<in6_pktinfo>(header, [](in6_pktinfo& info) { info.ipi6_ifindex = 0; });
      if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO)
        change<in_pktinfo>(header, [](in_pktinfo& info) {
          info.ipi_spec_dst = info.ipi_addr;
          info.ipi_ifindex = 0;
        });
    }
    part = {answer_.data(), answer_.size()};
    sendmsg(socket_.native_handle(), &message, 0);
    return true;
  }

  udp::socket socket_;
  std::string answer_;
};

// A kernel without IPv6 makes no such socket.
bool has_ipv6() {
  const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

}  // namespace

int serve(unsigned host_id, uint16_t http_port, uint16_t udp_port) {
  raise_descriptor_limit();
  try {
    asio::io_context io(1);
    const HttpServer http_server(io, {tcp::v4(), http_port}, host_id);
    const UdpEcho echo(io, {udp::v4(), udp_port}, host_id);
    std::optional<HttpServer> http_server6;
    std::optional<UdpEcho> echo6;
    if (has_ipv6()) {
      http_server6.emplace(io, tcp::endpoint(tcp::v6(), http_port), host_id);
      echo6.emplace(io, udp::endpoint(udp::v6(), udp_port), host_id);
    }
    io.run();
  } catch (const std::exception& problem) {
    fmt::print(stderr, "lab service: {}\n", problem.what());
    return 1;
  }
  return 0;
}

}  // namespace nlb::lab
