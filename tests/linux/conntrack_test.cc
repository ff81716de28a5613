// SPDX-License-Identifier: Apache-2.0
// Connection tracking's entries by real connections: one is translated, another has a socket at the address
// that the client asked for.
#include "linux/conntrack.hh"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <set>

#include "shell.hh"

namespace nlb::testing {
namespace {

const IpAddress kVip6 = *IpAddress::parse("2001:db8::100"), kService6 = *IpAddress::parse("2001:db8::8");

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// IPv4 as mapped addresses of an IPv6 socket: one way for both.
sockaddr_in6 at(const IpAddress& ip, uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  std::memcpy(&address.sin6_addr, ip.octets.data(), ip.octets.size());
  return address;
}

int bound(const IpAddress& ip, uint16_t port) {
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const sockaddr_in6 address = at(ip, port);
  EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << ip.text();
  return fd;
}

struct Connection {
  Connection(const IpAddress& service, uint16_t service_port, const IpAddress& from, uint16_t from_port,
             const IpAddress& to, uint16_t port)
      : listener(bound(service, service_port)), client(bound(from, from_port)) {
    EXPECT_EQ(listen(listener.fd(), 1), 0);
    const sockaddr_in6 target = at(to, port);
    EXPECT_EQ(connect(client.fd(), reinterpret_cast<const sockaddr*>(&target), sizeof target), 0)
        << std::strerror(errno);
  }
  Socket listener, client;
};

// "client:port>address:port" of each.
std::multiset<std::string> translated() {
  std::multiset<std::string> found;
  const auto read = each_translated([&](const TranslatedConnection& one) {
    found.insert(one.client.text() + " " + std::to_string(one.client_port) + " > " + one.address.text() +
                 " " + std::to_string(one.port));
    return true;
  });
  EXPECT_TRUE(read) << (read ? "" : read.error().message);
  return found;
}

class ConntrackTest : public NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    sh("ip addr add 10.77.0.100/32 dev lo; ip addr add 2001:db8::100/128 dev lo nodad;"
       "ip addr add 2001:db8::8/128 dev lo nodad");
  }
  static void translate() {
    sh("nft 'add table inet published; add chain inet published out { type nat hook output priority -100; };"
       "add rule inet published out ip daddr 10.77.0.100 tcp dport 80 dnat ip to 10.77.0.11:8080;"
       "add rule inet published out ip6 daddr 2001:db8::100 tcp dport 80 dnat ip6 to [2001:db8::8]:8080'");
  }
};

TEST_F(ConntrackTest, NothingIsTrackedWhereNobodyAskedForIt) {
  const Connection plain(kVip, 80, kDedicated, 40000, kVip, 80);
  EXPECT_EQ(tracked_connections(), 0u);
  EXPECT_TRUE(translated().empty());
}

TEST_F(ConntrackTest, ATranslatedConnectionIsFoundByWhatTheClientAskedFor) {
  translate();
  const Connection one(kDedicated, 8080, kDedicated, 40001, kVip, 80);
  EXPECT_EQ(translated(), (std::multiset<std::string>{"10.77.0.11 40001 > 10.77.0.100 80"}));
  const Connection other(kService6, 8080, kService6, 40002, kVip6, 80);
  EXPECT_EQ(translated(), (std::multiset<std::string>{"10.77.0.11 40001 > 10.77.0.100 80",
                                                      "2001:db8::8 40002 > 2001:db8::100 80"}));
}

TEST_F(ConntrackTest, WhoHasSeenEnoughIsToldNoMore) {
  translate();
  const Connection one(kDedicated, 8080, kDedicated, 40005, kVip, 80);
  const Connection other(kService6, 8080, kService6, 40006, kVip6, 80);
  int told = 0;
  EXPECT_TRUE(each_translated([&](const TranslatedConnection&) { return ++told < 1; }));
  EXPECT_EQ(told, 1);
}

TEST_F(ConntrackTest, AConnectionWithASocketIsLeftToItsSocket) {
  translate();
  const Connection plain(kVip, 443, kDedicated, 40003, kVip, 443);
  EXPECT_GE(tracked_connections(), 1u);
  EXPECT_TRUE(translated().empty());
}

TEST_F(ConntrackTest, AConnectionThatIsOverIsNotAlive) {
  translate();
  Connection closing(kDedicated, 8080, kDedicated, 40004, kVip, 80);
  ASSERT_EQ(translated().size(), 1u);
  const Socket server(accept(closing.listener.fd(), nullptr, nullptr));
  const linger at_once{1, 0};
  setsockopt(closing.client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  closing.client.close();  // by a reset
  EXPECT_TRUE(translated().empty());
  EXPECT_GE(tracked_connections(), 1u) << "its entry is still there";
}

}  // namespace
}  // namespace nlb::testing
