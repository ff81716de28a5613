// SPDX-License-Identifier: Apache-2.0
// One question, one answer: non-blocking sockets under epoll; limits in an ordered set, not a timer each.
#include "lab/exchange.hh"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace nlb::lab {
namespace {

constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";
constexpr std::string_view kDatagram = "who?\n";

unsigned number_after(const std::string& text, std::string_view mark) {
  const auto at = text.find(mark);
  if (at == std::string::npos) return 0;
  return static_cast<unsigned>(std::strtoul(text.c_str() + at + mark.size(), nullptr, 10));
}

int socket_for(const Question& question) {
  const int type = (question.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const int socket = ::socket(AF_INET, type, 0);
  if (socket < 0 || question.source.s_addr == 0) return socket;
  // The port is chosen at connect(), by the whole tuple: many more connections fit one source address.
  const int on = 1;
  setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr = question.source;
  if (bind(socket, reinterpret_cast<const sockaddr*>(&source), sizeof source) == 0) return socket;
  close(socket);
  return -1;
}

}  // namespace

Monotonic monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Monotonic>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

const char* name_of(Outcome outcome) {
  static constexpr std::array names{"pending",     "ok",           "timeout", "refused",    "reset",
                                    "unreachable", "closed-early", "garbled", "local-error"};
  return names[static_cast<std::size_t>(outcome)];
}

Outcome outcome_of_errno(int error) {
  switch (error) {
    case ECONNREFUSED:
      return Outcome::refused;
    case ECONNRESET:
    case EPIPE:
      return Outcome::reset;
    case ETIMEDOUT:
      return Outcome::timeout;
    case EHOSTUNREACH:
    case ENETUNREACH:
      return Outcome::unreachable;
    default:
      return Outcome::local_error;
  }
}

unsigned host_in(const std::string& answer) {
  const unsigned in_body = number_after(answer, "host=");
  if (!answer.starts_with("HTTP/")) return in_body;
  if (!answer.starts_with("HTTP/1.1 200")) return 0;
  return number_after(answer, "X-NLB-Host: ") == in_body ? in_body : 0;
}

struct ExchangePool::Exchange {
  Attempt attempt;
  int socket = -1;
  bool asked = false;
  std::string answer;
};

ExchangePool::ExchangePool(Done done) : done_(std::move(done)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

ExchangePool::~ExchangePool() {
  for (const auto& [socket, exchange] : open_) close(socket);
  close(epoll_);
}

void ExchangePool::start(const Question& question) {
  auto exchange = std::make_unique<Exchange>();
  auto& attempt = exchange->attempt;
  attempt.question = question;
  attempt.started = monotonic_now();
  const int socket = socket_for(question);
  const auto* to = reinterpret_cast<const sockaddr*>(&question.to);
  if (socket < 0 || (connect(socket, to, sizeof question.to) != 0 && errno != EINPROGRESS)) {
    attempt.outcome = socket < 0 ? Outcome::local_error : outcome_of_errno(errno);
    attempt.ended = monotonic_now();
    if (socket >= 0) close(socket);
    return done_(attempt);
  }
  exchange->socket = socket;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.fd = socket;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  limits_.emplace(attempt.started + question.limit_ns, socket);
  open_.emplace(socket, std::move(exchange));
}

void ExchangePool::turn(Monotonic until) {
  const Monotonic next = limits_.empty() ? until : std::min(until, limits_.begin()->first);
  const Monotonic wait = std::max<Monotonic>(next - monotonic_now(), 0);
  std::array<epoll_event, 256> events{};
  const timespec limit{wait / 1'000'000'000, wait % 1'000'000'000};
  const int count = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &limit, nullptr);
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    if (auto found = open_.find(event.data.fd); found != open_.end()) serve(*found->second, event.events);
  }
  expire(monotonic_now());
}

void ExchangePool::serve(Exchange& exchange, uint32_t events) {
  if (!exchange.asked) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(exchange.socket, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return finish(exchange, outcome_of_errno(error));
    if ((events & EPOLLOUT) == 0) return;
    exchange.asked = true;
    exchange.attempt.connected = monotonic_now();
    const auto text = exchange.attempt.question.udp ? kDatagram : kRequest;
    if (send(exchange.socket, text.data(), text.size(), MSG_NOSIGNAL) < 0)
      return finish(exchange, outcome_of_errno(errno));
  }
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) receive(exchange);
}

void ExchangePool::receive(Exchange& exchange) {
  std::array<char, 4096> chunk{};
  while (true) {
    const ssize_t count = recv(exchange.socket, chunk.data(), chunk.size(), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return finish(exchange, outcome_of_errno(errno));
    exchange.answer.append(chunk.data(), static_cast<std::size_t>(count));
    if (count != 0 && !exchange.attempt.question.udp) continue;
    if (exchange.answer.empty()) return finish(exchange, Outcome::closed_early);
    exchange.attempt.host = host_in(exchange.answer);
    return finish(exchange, exchange.attempt.host != 0 ? Outcome::ok : Outcome::garbled);
  }
}

void ExchangePool::finish(Exchange& exchange, Outcome outcome) {
  Attempt attempt = exchange.attempt;
  attempt.outcome = outcome;
  attempt.ended = monotonic_now();
  const int socket = exchange.socket;
  limits_.erase({attempt.started + attempt.question.limit_ns, socket});
  close(socket);
  open_.erase(socket);  // `exchange` is gone from here on
  done_(attempt);
}

void ExchangePool::expire(Monotonic now) {
  while (!limits_.empty() && limits_.begin()->first <= now) {
    finish(*open_.at(limits_.begin()->second), Outcome::timeout);
  }
}

}  // namespace nlb::lab
