// SPDX-License-Identifier: Apache-2.0
// The server from outside: raw bytes over a socket, so that malformed ones can be sent.
#include "http/server.hh"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace {

using namespace nlb::http;

class Client {
 public:
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{5, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  ~Client() { ::close(fd_); }
  void send(const std::string& text) { ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  // Until `end` was received, the connection ends, or 5 s.
  std::string receive(const std::string& end = "\nend") {
    std::string text;
    char piece[4096];
    while (text.find(end) == std::string::npos) {
      const auto size = ::recv(fd_, piece, sizeof(piece), 0);
      if (size <= 0) break;
      text.append(piece, static_cast<std::size_t>(size));
    }
    return text;
  }

 private:
  int fd_;
};

std::unique_ptr<Server> server(Handler handler, Limits limits = {}) {
  Options options;
  options.limits = limits;
  options.headers = {{"X-Every", "yes"}};
  auto listening = Server::listen(options, std::move(handler));
  EXPECT_TRUE(listening) << listening.error().message;
  return std::move(*listening);
}

Answer echo(const Request& request) {
  Answer answer;
  answer.body = request.method + " " + request.path + " [" + request.body + "]";
  for (const auto& [name, value] : request.query) answer.body += " " + name + "=" + value;
  answer.body += "\nend";
  return answer;
}

TEST(HttpServer, AnswersRequestsOfOneConnectionInTurn) {
  const auto listening = server(echo);
  Client client(listening->port());
  client.send("GET /a%20b?x=1%262&y=a+b HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto first = client.receive();
  EXPECT_NE(first.find("200 OK"), std::string::npos) << first;
  EXPECT_NE(first.find("X-Every: yes"), std::string::npos) << first;
  EXPECT_NE(first.find("GET /a%20b [] x=1&2 y=a b"), std::string::npos) << first;
  client.send("POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_NE(client.receive().find("POST /c [body]"), std::string::npos);
}

TEST(HttpServer, RefusesWhatIsTooLongOrNoRequest) {
  const auto listening = server(echo);
  const auto asked = [&](const std::string& text) {
    Client client(listening->port());
    client.send(text);
    return client.receive("never").substr(0, 12);
  };
  EXPECT_EQ(asked("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n"), "HTTP/1.1 431");
  EXPECT_EQ(asked("GET /" + std::string(20000, 'x') + " HTTP/1.1\r\n\r\n"), "HTTP/1.1 431");
  EXPECT_EQ(asked("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"), "HTTP/1.1 413");
  EXPECT_EQ(asked("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n11000\r\n" + std::string(69632, 'x') +
                  "\r\n0\r\n\r\n"),
            "HTTP/1.1 413");
  EXPECT_EQ(asked("\x16\x03\x01 nonsense\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(asked("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"), "HTTP/1.1 400");
}

TEST(HttpServer, WhoSendsNothingOrTooSlowlyIsLetGo) {
  Limits limits;
  limits.request = std::chrono::milliseconds(100);
  const auto listening = server(echo, limits);
  Client client(listening->port());
  client.send("GET / HTTP/1.1\r\nX: y");
  EXPECT_EQ(client.receive("never"), "");
}

TEST(HttpServer, NoMoreConnectionsThanTheLimit) {
  Limits limits;
  limits.connections = 2;
  const auto listening = server(echo, limits);
  Client first(listening->port()), second(listening->port());
  for (Client* client : {&first, &second}) {
    client->send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_NE(client->receive().find("200 OK"), std::string::npos);
  }
  Client third(listening->port());
  EXPECT_EQ(third.receive("never"), "");
}

TEST(HttpServer, AnAnswerMayComeLaterAndNobodyElseWaits) {
  const auto listening = server([](const Request& request) {
    Answer answer = echo(request);
    if (request.path == "/slow") answer.delay = std::chrono::milliseconds(1500);
    return answer;
  });
  Client slow(listening->port()), quick(listening->port());
  const auto begin = std::chrono::steady_clock::now();
  slow.send("GET /slow HTTP/1.1\r\n\r\n");
  quick.send("GET /quick HTTP/1.1\r\n\r\n");
  EXPECT_NE(quick.receive().find("/quick"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1400));
  EXPECT_NE(slow.receive().find("/slow"), std::string::npos);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1500));
}

TEST(HttpServer, AStreamGoesOnUntilItsReaderLeavesOrIsTooSlow) {
  std::shared_ptr<Stream> stream;
  std::atomic<int> opened{0};
  Limits limits;
  limits.waiting_bytes = 100000;
  const auto listening = server(
      [&](const Request&) {
        Answer answer;
        answer.type = "text/event-stream";
        answer.stream = [&](std::shared_ptr<Stream> given) {
          stream = std::move(given);
          ++opened;
        };
        return answer;
      },
      limits);
  const auto wait_for = [](const auto& condition) {
    for (int i = 0; i < 500 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return condition();
  };
  auto client = std::make_unique<Client>(listening->port());
  client->send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(wait_for([&] { return opened == 1; }));
  stream->push(std::make_shared<std::string>("one\n"));
  stream->push(std::make_shared<std::string>("two\nend"));
  const auto text = client->receive();
  EXPECT_NE(text.find("one\ntwo\n"), std::string::npos) << text;
  client.reset();
  EXPECT_TRUE(wait_for([&] { return stream->closed(); })) << "a reader left, and the stream goes on";

  Client slow(listening->port());
  slow.send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(wait_for([&] { return opened == 2; }));
  const auto much = std::make_shared<std::string>(90000, 'x');
  EXPECT_TRUE(wait_for([&] {
    stream->push(much);
    return stream->closed();
  })) << "what a reader does not read is kept without a bound";
}

}  // namespace
