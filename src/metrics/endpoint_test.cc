// SPDX-License-Identifier: Apache-2.0
// The endpoint over a real socket: what it answers, and what a hostile scraper can make it do.
#include "metrics/endpoint.hh"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <stdexcept>

namespace nlb {
namespace {

sockaddr_in loopback(uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return to;
}

// A port that was free a moment ago.
Endpoint free_endpoint() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  auto at = loopback(0);
  socklen_t size = sizeof at;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&at), size), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size), 0);
  ::close(fd);
  return *Endpoint::parse("127.0.0.1:" + std::to_string(ntohs(at.sin_port)));
}

class Scraper {
 public:
  explicit Scraper(const Endpoint& to) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval limit{5, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const auto at = loopback(to.port);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  }
  ~Scraper() { ::close(fd_); }
  Scraper(const Scraper&) = delete;
  Scraper& operator=(const Scraper&) = delete;
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::string ask(const std::string& text) const {
    ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    std::string answer;
    char piece[4096];
    for (ssize_t size; (size = ::recv(fd_, piece, sizeof piece, 0)) > 0;)
      answer.append(piece, static_cast<std::size_t>(size));
    return answer;
  }

 private:
  int fd_;
  bool connected_ = false;
};

std::string get(const Endpoint& from, const std::string& target = "/metrics") {
  return Scraper(from).ask("GET " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
}

struct Listening {
  std::atomic<int> collections{0};
  MetricsEndpoint endpoint{[this] { return "x " + std::to_string(++collections) + "\n"; }};
  Endpoint at = free_endpoint();
  Listening() {
    const auto done = endpoint.follow(at);
    EXPECT_TRUE(done) << done.error().message;
  }
};

TEST(MetricsEndpoint, AnswersMetricsAndNothingElse) {
  Listening listening;
  const auto answer = get(listening.at);
  EXPECT_EQ(answer.substr(0, 15), "HTTP/1.1 200 OK") << answer;
  EXPECT_NE(answer.find("text/plain; version=0.0.4"), std::string::npos) << answer;
  EXPECT_NE(answer.find("\r\n\r\nx 1\n"), std::string::npos) << answer;
  EXPECT_NE(get(listening.at, "/").find(" 404 "), std::string::npos);
  const auto posted = Scraper(listening.at).ask("POST /metrics HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_NE(posted.find(" 405 "), std::string::npos) << posted;
  EXPECT_NE(posted.find("Allow: GET, HEAD"), std::string::npos) << posted;
}

TEST(MetricsEndpoint, AFloodOfScrapesCollectsFewTimes) {
  Listening listening;
  const auto begin = std::chrono::steady_clock::now();
  int scrapes = 0;
  for (; scrapes < 300; ++scrapes) ASSERT_NE(get(listening.at).find("x "), std::string::npos);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LE(listening.collections, took / std::chrono::milliseconds(200) + 2);
}

TEST(MetricsEndpoint, WhoHoldsConnectionsOpenTakesThemFromNobodyButScrapers) {
  Listening listening;
  std::deque<Scraper> idle;
  for (int i = 0; i < 16; ++i) idle.emplace_back(listening.at);
  EXPECT_EQ(get(listening.at), "");  // refused at once; the daemon behind has nothing to do with it
  idle.clear();
  std::string answer;
  for (int i = 0; i < 100 && answer.empty(); ++i) answer = get(listening.at);
  EXPECT_NE(answer.find("x "), std::string::npos);
}

TEST(MetricsEndpoint, ACollectionThatFailsIsAnAnswer) {
  MetricsEndpoint endpoint([]() -> std::string { throw std::runtime_error("no such thing"); });
  const auto at = free_endpoint();
  ASSERT_TRUE(endpoint.follow(at));
  EXPECT_NE(get(at).find(" 500 "), std::string::npos);
}

TEST(MetricsEndpoint, FollowsTheConfiguration) {
  Listening listening;
  const auto other = free_endpoint();
  ASSERT_TRUE(listening.endpoint.follow(other));
  EXPECT_FALSE(Scraper(listening.at).connected());
  EXPECT_NE(get(other).find("x 1\n"), std::string::npos);
  Listening second;
  const auto taken = listening.endpoint.follow(second.at);
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().message.find(second.at.text()), std::string::npos) << taken.error().message;
  ASSERT_TRUE(listening.endpoint.follow(std::nullopt));
  EXPECT_FALSE(Scraper(other).connected());
}

}  // namespace
}  // namespace nlb
