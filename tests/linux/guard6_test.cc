// SPDX-License-Identifier: Apache-2.0
// The second guard and IPv6, by live frames: no BPF program is attached here.
#include <netinet/in.h>
#include <nlb/abi/mark.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/packets6.hh"
#include "linux/frame_socket.hh"
#include "linux/guard.hh"
#include "shell.hh"
#include "wire/nd.hh"

namespace nlb::testing {
namespace {

using namespace nlb::test;
constexpr uint16_t kIpv6 = 0x86dd, kPort = 7777;
const IpAddress kVip6 = ip6("fd77::100"), kDedicated6 = ip6("fd77::11"), kGateway6 = ip6("fd77::1"),
                kGroup6 = ip6("ff02::1:ff00:1");

bool readable_soon(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return poll(&waiting, 1, 100) == 1;
}

class Guard6Test : public NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    plan_.interface = "veth0";
    plan_.vips = {kVip, kVip6};
    plan_.cluster_mac = kClusterMac;
    plan_.masked_mac = kMaskedMac;
    plan_.own_mac = kOwnMac;
    plan_.dedicated_ip = kDedicated;
    plan_.dedicated_ip6 = kDedicated6;
    sh("ip addr add fd77::11/64 dev veth0 nodad; ip addr add fd77::100/128 dev veth0 nodad");
  }
  void install() {
    auto installed = install_guard(plan_);
    ASSERT_TRUE(installed) << installed.error().message;
  }
  // What arrives on the wire when the host sends this message; nullopt: nothing, or a wrong checksum.
  static std::optional<NdMessage> sent(const IpAddress& from, const Frame& message) {
    auto wire = std::move(*FrameSocket::open_discovery("veth1"));
    auto host = std::move(*FrameSocket::open("veth0", kIpv6, std::nullopt));
    (void)host->send(kOwnMac, group_mac(kGroup6), summed(ipv6(from, kGroup6, 58, message)));
    while (readable_soon(wire->fd()))
      while (auto frame = wire->receive())
        if (auto read = parse_nd(frame->payload); read && read->target == target_of(message)) return read;
    return std::nullopt;
  }
  static IpAddress target_of(const Frame& message) {
    IpAddress target;
    std::copy_n(message.begin() + 8, 16, target.octets.begin());
    return target;
  }
  // Sends one from the gateway's address on the wire; its source port tells them apart.
  static void send_datagram(FrameSocket& wire, const IpAddress& to, uint16_t source_port) {
    Frame datagram = udp(source_port, kPort, 2);
    uint32_t sum = 17 + static_cast<uint32_t>(datagram.size());
    const auto add = [&](std::span<const uint8_t> octets) {
      for (std::size_t i = 0; i < octets.size(); i += 2) sum += uint32_t{octets[i]} << 8 | octets[i + 1];
    };
    add(kGateway6.octets);
    add(to.octets);
    add(datagram);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    datagram[6] = static_cast<uint8_t>(~sum >> 8);
    datagram[7] = static_cast<uint8_t>(~sum);
    EXPECT_TRUE(wire.send(kWireMac, kOwnMac, ipv6(kGateway6, to, 17, datagram)));
  }
  static std::optional<uint16_t> source_port_received(int fd) {
    sockaddr_in6 from{};
    socklen_t length = sizeof from;
    char octet;
    if (!readable_soon(fd)) return std::nullopt;
    if (recvfrom(fd, &octet, 1, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length) < 0)
      return std::nullopt;
    return ntohs(from.sin6_port);
  }
  // Does a datagram that arrives on the wire reach a socket of this host? The one sent after it, to the
  // dedicated address, does: what has not come before that one does not come.
  static bool delivered(const IpAddress& to) {
    constexpr uint16_t kAsked = 4096, kLast = 4097;
    const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(kPort);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    auto wire = std::move(*FrameSocket::open("veth1", kIpv6, std::nullopt));
    std::optional<uint16_t> first;
    for (int attempt = 0; attempt < 100 && !first; ++attempt) {
      send_datagram(*wire, to, kAsked);
      send_datagram(*wire, kDedicated6, kLast);
      first = source_port_received(fd);
    }
    close(fd);
    EXPECT_TRUE(first) << "not even the dedicated address is reached";
    return first == kAsked;
  }
  GuardPlan plan_;
};

Frame own(const MacAddress& mac) {
  return link_layer(kSourceOption, mac);
}
Frame at(const MacAddress& mac) {
  return link_layer(kTargetOption, mac);
}

TEST_F(Guard6Test, UnmarkedPacketForAVipIsDropped) {
  EXPECT_TRUE(delivered(kVip6)) << "without the guard the test shows nothing";
  install();
  EXPECT_FALSE(delivered(kVip6));
  EXPECT_TRUE(delivered(kDedicated6));
  sh("nft 'add table inet marker; add chain inet marker in { type filter hook prerouting priority -400; };"
     " add rule inet marker in meta mark set " +
     std::to_string(NLB_MARK) + "'");
  EXPECT_TRUE(delivered(kVip6));
}

TEST_F(Guard6Test, AQuestionFromAVipIsAskedForTheDedicatedAddress) {
  const Frame question = solicitation(kGateway6, own(kOwnMac));
  EXPECT_EQ(sent(kVip6, question)->source, kVip6) << "without the guard";
  install();
  EXPECT_EQ(sent(kVip6, question), (NdMessage{true, kDedicated6, kGateway6, kOwnMac, {}}));
  EXPECT_EQ(sent(kVip6, solicitation(kGateway6, own(kClusterMac)))->source, kVip6) << "it says the truth";
  plan_.dedicated_ip6 = {};
  install();
  EXPECT_EQ(sent(kVip6, question), std::nullopt);
}

TEST_F(Guard6Test, AnAnnouncementOfAVipElsewhereIsDropped) {
  EXPECT_TRUE(sent(kVip6, advertisement(kVip6, at(kOwnMac))));
  install();
  EXPECT_FALSE(sent(kVip6, advertisement(kVip6, at(kOwnMac))));
  EXPECT_TRUE(sent(kVip6, advertisement(kVip6, at(kClusterMac))));
  EXPECT_TRUE(sent(kDedicated6, advertisement(kDedicated6, at(kOwnMac))));
  EXPECT_TRUE(sent(IpAddress{}, solicitation(kVip6, nonces(1)))) << "a probe binds nothing";
}

TEST_F(Guard6Test, AClusterOfIpv6AloneIsGuardedAndReadBack) {
  plan_.vips = {kVip6};
  install();
  EXPECT_TRUE(*guard_in_force(plan_));
  EXPECT_FALSE(delivered(kVip6));
  sh("nft delete element inet nlb_veth0 vips6 '{ fd77::100 }'");
  EXPECT_FALSE(*guard_in_force(plan_)) << "a VIP that was taken out is missed";
}

}  // namespace
}  // namespace nlb::testing
