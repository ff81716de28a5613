// SPDX-License-Identifier: Apache-2.0
// One question to the service behind the VIP, as a client asks it: a fresh socket, a fresh port, one answer
// that names the host. Thousands of them run side by side in one thread, each with a limit of its own.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace nlb::lab {

using Monotonic = int64_t;  // CLOCK_MONOTONIC, ns
[[nodiscard]] Monotonic monotonic_now();

enum class Outcome : uint8_t {
  pending,
  ok,
  timeout,
  refused,
  reset,
  unreachable,
  closed_early,
  garbled,
  local_error
};
[[nodiscard]] const char* name_of(Outcome outcome);
[[nodiscard]] Outcome outcome_of_errno(int error);

// The host id in an answer (its header and its body must agree when both are there); 0 = none.
[[nodiscard]] unsigned host_in(const std::string& answer);

struct Question {
  sockaddr_in to{};
  in_addr source{};  // 0.0.0.0: the kernel's choice
  bool udp = false;
  Monotonic limit_ns = 0;
  unsigned series = 0;  // the caller's
};

struct Attempt {
  Question question;
  Monotonic started = 0, connected = 0, ended = 0;
  Outcome outcome = Outcome::pending;
  unsigned host = 0;
};

class ExchangePool {
 public:
  using Done = std::function<void(const Attempt&)>;
  explicit ExchangePool(Done done);
  ~ExchangePool();
  ExchangePool(const ExchangePool&) = delete;
  ExchangePool& operator=(const ExchangePool&) = delete;

  void start(const Question& question);
  [[nodiscard]] std::size_t active() const { return open_.size(); }
  // Serves sockets and limits until that instant at the latest, or until something has happened.
  void turn(Monotonic until);

 private:
  struct Exchange;
  void serve(Exchange& exchange, uint32_t events);
  void receive(Exchange& exchange);
  void finish(Exchange& exchange, Outcome outcome);
  void expire(Monotonic now);

  Done done_;
  int epoll_;
  std::unordered_map<int, std::unique_ptr<Exchange>> open_;  // by descriptor
  std::set<std::pair<Monotonic, int>> limits_;
};

}  // namespace nlb::lab
