// SPDX-License-Identifier: Apache-2.0
// `nlb lab streams`: long-lived connections that must outlive joins, drains, weight changes and restarts. The
// service sends bytes that depend on their place alone, so every one is checked; a pause longer than the
// sender's tick of 50 ms shows as a stall.
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/exchange.hh"
#include "lab/process.hh"
#include "lab/tools.hh"

namespace nlb::lab {
namespace {

constexpr Monotonic kMs = 1'000'000;
constexpr Monotonic kConnectLimit = 10'000 * kMs;
constexpr Monotonic kGrace = 15'000 * kMs;  // after the planned end: a stream that still runs has stalled

struct Stream {
  int socket = -1;
  bool asked = false, header_over = false;
  std::string header;
  Outcome outcome = Outcome::pending;
  unsigned host = 0;
  uint64_t expected = 0, received = 0, wrong = 0;
  Monotonic last_byte = 0, longest_stall = 0;

  void end(Outcome how) {
    outcome = how;
    close(socket);
    socket = -1;
  }
};

Stream open_stream(const StreamOptions& options, std::size_t number) {
  Stream stream;
  stream.last_byte = monotonic_now();
  stream.socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (!options.sources.empty()) {
    sockaddr_in source{};
    source.sin_family = AF_INET;
    source.sin_addr = options.sources[number % options.sources.size()];
    const int on = 1;
    setsockopt(stream.socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(stream.socket, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0)
      stream.end(Outcome::local_error);
  }
  if (stream.socket >= 0 &&
      connect(stream.socket, reinterpret_cast<const sockaddr*>(&options.to), sizeof options.to) != 0 &&
      errno != EINPROGRESS)
    stream.end(outcome_of_errno(errno));
  return stream;
}

void ask(Stream& stream, const StreamOptions& options) {
  const auto request = fmt::format("GET /stream?seconds={}&bytes={} HTTP/1.1\r\nHost: lab\r\n\r\n",
                                   options.seconds, options.bytes);
  stream.asked = true;
  if (send(stream.socket, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(stream.socket, SOL_SOCKET, SO_ERROR, &error, &size);
    stream.end(outcome_of_errno(error != 0 ? error : errno));
  }
}

void check(Stream& stream, const char* bytes, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (static_cast<uint8_t>(bytes[i]) != stream_byte(stream.received)) ++stream.wrong;
    ++stream.received;
  }
}

void take(Stream& stream, const char* bytes, std::size_t count) {
  const Monotonic now = monotonic_now();
  if (stream.header_over) stream.longest_stall = std::max(stream.longest_stall, now - stream.last_byte);
  stream.last_byte = now;
  if (stream.header_over) return check(stream, bytes, count);
  stream.header.append(bytes, count);
  const auto end = stream.header.find("\r\n\r\n");
  if (end == std::string::npos) return;
  stream.header_over = true;
  const auto number = [&](const char* name) -> uint64_t {
    const auto at = stream.header.find(name);
    return at == std::string::npos
               ? 0
               : std::strtoull(stream.header.c_str() + at + std::string(name).size(), nullptr, 10);
  };
  stream.host = static_cast<unsigned>(number("X-NLB-Host: "));
  stream.expected = number("Content-Length: ");
  check(stream, stream.header.data() + end + 4, stream.header.size() - end - 4);
}

void receive(Stream& stream) {
  std::array<char, 65536> chunk{};
  while (true) {
    const ssize_t count = recv(stream.socket, chunk.data(), chunk.size(), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return stream.end(outcome_of_errno(errno));
    if (count > 0) {
      take(stream, chunk.data(), static_cast<std::size_t>(count));
      continue;
    }
    const bool whole = stream.header_over && stream.received == stream.expected;
    return stream.end(whole ? Outcome::ok : Outcome::closed_early);
  }
}

// One round of poll over all that are open; returns how many are.
std::size_t serve_once(std::vector<Stream>& streams, const StreamOptions& options) {
  std::vector<pollfd> polled;
  std::vector<Stream*> open;
  for (auto& stream : streams) {
    if (stream.socket < 0) continue;
    polled.push_back({stream.socket, static_cast<short>(stream.asked ? POLLIN : POLLOUT), 0});
    open.push_back(&stream);
  }
  if (open.empty()) return 0;
  poll(polled.data(), polled.size(), 100);
  for (std::size_t i = 0; i < open.size(); ++i) {
    if (polled[i].revents == 0) continue;
    if (!open[i]->asked) {
      ask(*open[i], options);
    } else {
      receive(*open[i]);
    }
  }
  return open.size();
}

int report(const std::vector<Stream>& streams) {
  uint64_t ok = 0, wrong = 0, bytes = 0;
  Monotonic longest = 0;
  std::map<std::string, unsigned> hosts, failures;
  for (const auto& stream : streams) {
    if (stream.outcome == Outcome::ok) {
      ++ok;
    } else {
      ++failures[name_of(stream.outcome)];
    }
    ++hosts[std::to_string(stream.host)];
    wrong += stream.wrong;
    bytes += stream.received;
    longest = std::max(longest, stream.longest_stall);
  }
  const nlohmann::json json = {{"schema", 1},
                               {"streams", streams.size()},
                               {"ok", ok},
                               {"failed", streams.size() - ok},
                               {"failures", failures},
                               {"resets", failures.contains("reset") ? failures["reset"] : 0},
                               {"wrong_bytes", wrong},
                               {"bytes", bytes},
                               {"longest_stall_ms", static_cast<double>(longest) / 1e6},
                               {"hosts", hosts}};
  fmt::print("{}\n", json.dump());
  return ok == streams.size() && wrong == 0 ? 0 : 1;
}

}  // namespace

int streams(const StreamOptions& options) {
  raise_descriptor_limit();
  std::vector<Stream> all;
  for (unsigned number = 0; number < options.count; ++number) all.push_back(open_stream(options, number));
  const Monotonic begin = monotonic_now();
  const Monotonic end = begin + options.seconds * 1000 * kMs + kGrace;
  bool announced = false;
  while (serve_once(all, options) > 0 && monotonic_now() < end) {
    const auto running =
        std::count_if(all.begin(), all.end(), [](const auto& one) { return one.received > 0; });
    if (!announced && static_cast<unsigned>(running) == options.count) {
      announced = true;
      fmt::print(stderr, "streams: {} running\n", running);  // a script waits for this line
    }
    for (auto& stream : all) {
      const bool mute = stream.socket >= 0 && !stream.header_over;
      if (mute && monotonic_now() - begin > kConnectLimit) stream.end(Outcome::timeout);
    }
  }
  for (auto& stream : all) {
    if (stream.socket < 0) continue;
    stream.longest_stall = std::max(stream.longest_stall, monotonic_now() - stream.last_byte);
    stream.end(Outcome::timeout);
  }
  return report(all);
}

}  // namespace nlb::lab
