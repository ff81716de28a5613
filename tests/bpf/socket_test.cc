// SPDX-License-Identifier: Apache-2.0
// Buckets in transition, with real sockets: what counts as a connection of this host. All on the loopback of
// a network namespace of the test's own; the frames that go through the filter are made by hand.
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "datapath/file_descriptor.hh"
#include "fixtures.hh"

namespace nlb::test {
namespace {

class Endpoint {
 public:
  Endpoint(const IpAddress& ip, uint16_t port) : v4_(ip.is_v4()) {
    if (v4_) {
      auto& at = reinterpret_cast<sockaddr_in&>(storage_);
      at.sin_family = AF_INET;
      at.sin_port = htons(port);
      at.sin_addr.s_addr = htonl(ip.v4_host_order());
    } else {
      auto& at = reinterpret_cast<sockaddr_in6&>(storage_);
      at.sin6_family = AF_INET6;
      at.sin6_port = htons(port);
      std::memcpy(&at.sin6_addr, ip.octets.data(), ip.octets.size());
    }
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t bytes() const { return v4_ ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }

 private:
  bool v4_;
  sockaddr_storage storage_{};
};

FileDescriptor bound(const IpAddress& ip, uint16_t port) {
  FileDescriptor made(socket(ip.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const Endpoint at(ip, port);
  EXPECT_EQ(bind(made.get(), at.get(), at.bytes()), 0) << std::strerror(errno);
  return made;
}

// Numbers of an end, by TCP_REPAIR.
uint32_t sequence_of(int fd, int queue) {
  const int on = 1, off = -1;
  uint32_t value = 0;
  socklen_t bytes = sizeof value;
  EXPECT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on), 0);
  EXPECT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue), 0);
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &value, &bytes), 0);
  EXPECT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off), 0);
  return value;
}

class Sockets : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fresh_network());  // nothing left of the test before
    harness().configure(example_config());
    harness().set_lease(kForever);
    harness().set_all_buckets(BucketState::foreign_checked);
  }
  void listen_at_vip() {
    listener_ = bound(vip_, 443);
    ASSERT_EQ(listen(listener_.get(), 8), 0);
  }
  void connect_client(uint16_t port) {
    client_ = bound(client_address_, port);
    const Endpoint to(vip_, 443);
    ASSERT_EQ(connect(client_.get(), to.get(), to.bytes()), 0) << std::strerror(errno);
    server_ = FileDescriptor(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(static_cast<bool>(server_));
    client_next_ = sequence_of(client_.get(), TCP_SEND_QUEUE);
    server_next_ = sequence_of(server_.get(), TCP_SEND_QUEUE);
  }
  // By both hooks and both states in transition, which must agree.
  [[nodiscard]] std::string verdict(uint16_t port, uint8_t flags, uint32_t sequence,
                                    uint32_t acknowledgement) const {
    const Frame frame = segment(client_address_, tcp(port, 443, flags, sequence, acknowledgement));
    const std::string first = verdict_name(harness().run(Hook::xdp, frame).verdict);
    EXPECT_EQ(first, verdict_name(harness().run(Hook::ingress, frame).verdict));
    harness().set_all_buckets(BucketState::owned_checked);
    EXPECT_EQ(first, verdict_name(harness().run(Hook::ingress, frame).verdict));
    harness().set_all_buckets(BucketState::foreign_checked);
    return first;
  }
  void exchange(std::size_t bytes) {  // server to client
    const std::string data(bytes, 'x');
    ASSERT_EQ(send(server_.get(), data.data(), bytes, 0), static_cast<ssize_t>(bytes));
    std::string got(bytes, 0);
    ASSERT_EQ(recv(client_.get(), got.data(), bytes, MSG_WAITALL), static_cast<ssize_t>(bytes));
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // the last ACK, which may be delayed
    server_next_ += static_cast<uint32_t>(bytes);
  }

  [[nodiscard]] Frame segment(const IpAddress& from, const Frame& tcp_segment) const {
    if (!vip_.is_v4()) return kToCluster.wrap(0x86dd, ipv6(from, vip_, 6, tcp_segment));
    return kToCluster.wrap(0x0800, Ipv4{from.v4_host_order(), vip_.v4_host_order()}.wrap(6, tcp_segment));
  }

  IpAddress vip_ = IpAddress::v4(kVip), client_address_ = IpAddress::v4(kClient);
  FileDescriptor listener_, client_, server_;
  uint32_t client_next_ = 0, server_next_ = 0;
};

TEST_F(Sockets, a_segment_of_an_established_connection_is_held) {
  listen_at_vip();
  connect_client(40100);
  EXPECT_EQ(verdict(40100, kAck, client_next_, server_next_), "held");
  EXPECT_EQ(verdict(40100, kAck | kPsh, client_next_, server_next_), "held");
  EXPECT_EQ(verdict(40100, kAck | kFin, client_next_, server_next_), "held");
  EXPECT_EQ(verdict(40100, kAck | kRst, client_next_, server_next_), "held");
}

TEST_F(Sockets, an_acknowledgement_outside_of_what_was_sent_is_a_stray) {
  listen_at_vip();
  connect_client(40110);
  EXPECT_EQ(verdict(40110, kAck, client_next_, server_next_ + 1), "stray");
  EXPECT_EQ(verdict(40110, kAck, client_next_, server_next_ + 0x40000000), "stray");
  EXPECT_EQ(verdict(40110, kAck, client_next_, server_next_ - 0x40000000), "stray");
  EXPECT_EQ(verdict(40110, kAck, client_next_, server_next_ - 3), "stray");
}

TEST_F(Sockets, an_older_acknowledgement_is_held_within_what_was_sent) {
  listen_at_vip();
  connect_client(40120);
  exchange(10000);
  EXPECT_EQ(verdict(40120, kAck, client_next_, server_next_), "held");
  EXPECT_EQ(verdict(40120, kAck, client_next_, server_next_ - 5000), "held");
  EXPECT_EQ(verdict(40120, kAck, client_next_, server_next_ - 10000), "held");
  EXPECT_EQ(verdict(40120, kAck, client_next_, server_next_ - 10003), "stray");
}

TEST_F(Sockets, a_bare_reset_is_judged_by_its_sequence) {
  listen_at_vip();
  connect_client(40130);
  EXPECT_EQ(verdict(40130, kRst, client_next_, 0), "held");
  EXPECT_EQ(verdict(40130, kRst, client_next_ + 100, 0), "held");
  EXPECT_EQ(verdict(40130, kRst, client_next_ + 0x40000000, 0), "stray");
  EXPECT_EQ(verdict(40130, kRst, client_next_ - 1000, 0), "stray");
}

TEST_F(Sockets, another_port_or_a_listener_alone_is_a_stray) {
  listen_at_vip();
  connect_client(40140);
  EXPECT_EQ(verdict(40002, kAck, client_next_, server_next_), "stray");
}

TEST_F(Sockets, a_syn_is_judged_by_ownership_though_the_socket_is_here) {
  listen_at_vip();
  connect_client(40150);
  const Frame syn =
      Ethernet{kClusterMac, kClientMac}.wrap(0x0800, Ipv4{kClient, kVip}.wrap(6, tcp(40150, 443, kSyn)));
  EXPECT_EQ(verdict_name(harness().run(Hook::ingress, syn).verdict), "foreign");
}

TEST_F(Sockets, a_connection_of_a_dual_stack_listener_is_held) {
  listener_ = FileDescriptor(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(443);
  const int one = 1, zero = 0;
  setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(listener_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
  ASSERT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0) << std::strerror(errno);
  ASSERT_EQ(listen(listener_.get(), 8), 0);
  connect_client(40003);
  EXPECT_EQ(verdict(40003, kAck, client_next_, server_next_), "held");
  EXPECT_EQ(verdict(40003, kAck, client_next_, server_next_ + 9), "stray");
}

TEST_F(Sockets, time_wait_is_held_only_when_both_numbers_fit) {
  listen_at_vip();
  connect_client(40004);
  server_ = {};  // closes first: TIME_WAIT is here
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  client_ = {};
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(verdict(40004, kAck | kFin, client_next_, server_next_ + 1), "held");
  EXPECT_EQ(verdict(40004, kAck, client_next_ + 1, server_next_ + 1), "held");
  EXPECT_EQ(verdict(40004, kAck, client_next_ + 1, server_next_), "stray");
  EXPECT_EQ(verdict(40004, kAck, client_next_ + 200000, server_next_ + 1), "stray");
}

class Sockets6 : public Sockets {
 protected:
  void SetUp() override {
    Sockets::SetUp();
    vip_ = kVip6;
    client_address_ = kClient6;
  }
};

TEST_F(Sockets6, segments_are_judged_by_their_numbers) {
  listen_at_vip();
  EXPECT_EQ(verdict(40200, kAck, 1, 1), "stray") << "a listener alone";
  connect_client(40200);
  exchange(10000);
  EXPECT_EQ(verdict(40200, kAck | kPsh, client_next_, server_next_), "held");
  EXPECT_EQ(verdict(40200, kAck, client_next_, server_next_ - 10000), "held");
  EXPECT_EQ(verdict(40200, kAck, client_next_, server_next_ + 1), "stray");
  EXPECT_EQ(verdict(40200, kRst, client_next_, 0), "held");
  EXPECT_EQ(verdict(40200, kRst, client_next_ - 1000, 0), "stray");
  EXPECT_EQ(verdict(40201, kAck, client_next_, server_next_), "stray");
}

TEST_F(Sockets6, time_wait_is_held_only_when_both_numbers_fit) {
  listen_at_vip();
  connect_client(40204);
  server_ = {};  // closes first: TIME_WAIT is here
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  client_ = {};
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(verdict(40204, kAck, client_next_ + 1, server_next_ + 1), "held");
  EXPECT_EQ(verdict(40204, kAck, client_next_ + 1, server_next_), "stray");
}

// A client that never answers: a rule drops whatever comes back to it.
class HalfOpen : public Sockets {
 protected:
  // A SYN from an address that nobody has, by a raw socket; returns the SYN-ACK's number.
  uint32_t half_open(uint16_t port) const {
    const bool v4 = vip_.is_v4();
    FileDescriptor raw(socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    FileDescriptor sniffer(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(v4 ? 0x0800 : 0x86dd)));
    const Frame frame = segment(ghost_, with_checksum(tcp(port, 443, kSyn, 7000)));
    const Frame packet(frame.begin() + 14, frame.end());
    const Endpoint to(vip_, 0);
    EXPECT_EQ(sendto(raw.get(), packet.data(), packet.size(), 0, to.get(), to.bytes()),
              static_cast<ssize_t>(packet.size()));
    timeval patience{1, 0};
    setsockopt(sniffer.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    uint8_t seen[256];
    // A packet socket hears what the rule drops.
    while (recv(sniffer.get(), seen, sizeof seen, 0) >= 40) {
      const std::size_t at = v4 ? (seen[0] & 15U) * 4U : 40;
      if (seen[at + 13] != (kSyn | kAck)) continue;
      return uint32_t{seen[at + 4]} << 24 | uint32_t{seen[at + 5]} << 16 | uint32_t{seen[at + 6]} << 8 |
             seen[at + 7];
    }
    ADD_FAILURE() << "no SYN-ACK";
    return 0;
  }
  // Over the pseudo header, too; a v4-mapped address sums up to its IPv4 address and 0xffff, which is zero.
  [[nodiscard]] Frame with_checksum(Frame tcp_segment) const {
    uint32_t sum = 6 + 20;
    const auto add = [&](std::span<const uint8_t> octets) {
      for (std::size_t i = 0; i < octets.size(); i += 2)
        sum += static_cast<uint32_t>(octets[i] << 8 | octets[i + 1]);
    };
    add(vip_.octets);
    add(ghost_.octets);
    add(tcp_segment);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    tcp_segment[16] = static_cast<uint8_t>(~sum >> 8);
    tcp_segment[17] = static_cast<uint8_t>(~sum);
    return tcp_segment;
  }
  [[nodiscard]] std::string ghost_verdict(uint16_t port, uint8_t flags, uint32_t sequence,
                                          uint32_t acknowledgement) const {
    const Frame frame = segment(ghost_, tcp(port, 443, flags, sequence, acknowledgement));
    const std::string first = verdict_name(harness().run(Hook::xdp, frame).verdict);
    EXPECT_EQ(first, verdict_name(harness().run(Hook::ingress, frame).verdict));
    return first;
  }
  void SetUp() override {
    Sockets::SetUp();
    ASSERT_EQ(std::system("ip address replace 10.0.0.98/32 dev lo\n"
                          "ip address replace 2001:db8::98/128 dev lo nodad\n"
                          "nft -f - <<'E'\n"
                          "table inet mute {\n chain in {\n type filter hook input priority 0;\n"
                          " ip daddr 10.0.0.98 drop\n ip6 daddr 2001:db8::98 drop\n }\n}\nE"),
              0);
  }
  void use_ipv6() {
    vip_ = kVip6;
    client_address_ = kClient6;
    ghost_ = ip6("2001:db8::98");
  }
  IpAddress ghost_ = IpAddress::v4(0x0a000062);  // 10.0.0.98
};

TEST_F(HalfOpen, a_request_socket_is_held_only_for_its_own_syn_ack) {
  listen_at_vip();
  const uint32_t number = half_open(41000);
  EXPECT_EQ(ghost_verdict(41000, kAck, 7001, number + 1), "held");
  EXPECT_EQ(ghost_verdict(41000, kAck, 7001, number), "stray");
  EXPECT_EQ(ghost_verdict(41000, kAck, 7001, number + 2), "stray");
  EXPECT_EQ(ghost_verdict(41000, kAck, 7001, number + 0x1000000), "stray") << "the new owner's connection";
  EXPECT_EQ(ghost_verdict(41000, kRst, 7001, 0), "held");
  EXPECT_EQ(ghost_verdict(41000, kRst, 7001 + 0x100000, 0), "stray");
}

TEST_F(HalfOpen, a_syn_cookie_is_known_to_the_listener_that_made_it) {
  std::ofstream("/proc/sys/net/ipv4/tcp_syncookies") << 2;
  listen_at_vip();
  const uint32_t number = half_open(41001);
  EXPECT_EQ(ghost_verdict(41001, kAck, 7001, number + 1), "cookie");
  EXPECT_EQ(ghost_verdict(41001, kAck, 7001, number + 77), "stray");
  EXPECT_EQ(ghost_verdict(41001, kRst, 7001, 0), "stray");
  std::ofstream("/proc/sys/net/ipv4/tcp_syncookies") << 1;
}

// The iterator.
TEST_F(HalfOpen, of_ipv6_request_sockets_and_cookies_are_known_too) {
  use_ipv6();
  std::ofstream("/proc/sys/net/ipv4/tcp_syncookies") << 1;
  listen_at_vip();
  const uint32_t number = half_open(41010);
  EXPECT_EQ(ghost_verdict(41010, kAck, 7001, number + 1), "held");
  EXPECT_EQ(ghost_verdict(41010, kAck, 7001, number + 2), "stray");
  std::ofstream("/proc/sys/net/ipv4/tcp_syncookies") << 2;
  const uint32_t cookie = half_open(41011);
  EXPECT_EQ(ghost_verdict(41011, kAck, 7001, cookie + 1), "cookie");
  EXPECT_EQ(ghost_verdict(41011, kAck, 7001, cookie + 77), "stray");
}

class Live : public HalfOpen {
 protected:
  static uint32_t count(std::size_t slot, uint32_t bucket) {
    return harness().state().live[slot].connections[bucket];
  }
  static uint32_t walk() {
    for (nlb_live_row& row : harness().state().live.all())
      std::memset(row.connections, 0, sizeof row.connections);
    EXPECT_TRUE(harness().programs().walk_sockets());
    uint32_t all = 0;
    for (const nlb_live_row& row : harness().state().live.all()) {
      for (const uint32_t one : row.connections) all += one;
    }
    return all;
  }
  static uint32_t single(const IpAddress& client) {
    return FilterModel::bucket_of(example_config(), Affinity::single, client, 0);
  }
};

TEST_F(Live, counts_connections_by_slot_and_bucket) {
  listen_at_vip();
  EXPECT_EQ(walk(), 0U) << "a listener is no connection";
  connect_client(40010);
  EXPECT_EQ(walk(), 1U);
  EXPECT_EQ(count(1, single(client_address_)), 1U);
}

TEST_F(Live, counts_request_sockets_and_half_closed_ones) {
  listen_at_vip();
  half_open(41002);
  EXPECT_EQ(walk(), 1U);
  EXPECT_EQ(count(1, single(ghost_)), 1U);
  connect_client(40011);
  shutdown(client_.get(), SHUT_WR);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(walk(), 2U);
}

TEST_F(Live, counts_connections_of_ipv6) {
  use_ipv6();
  listen_at_vip();
  connect_client(40013);
  EXPECT_EQ(walk(), 1U);
  EXPECT_EQ(count(1, single(client_address_)), 1U);
}

TEST_F(Live, does_not_count_time_wait) {
  listen_at_vip();
  connect_client(40012);
  server_ = {};
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  client_ = {};
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(walk(), 0U);
}

}  // namespace
}  // namespace nlb::test
