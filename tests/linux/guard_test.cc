// SPDX-License-Identifier: Apache-2.0
// The second guard, by live frames: no BPF program is attached here, so whatever holds, holds by nftables
// alone.
#include "linux/guard.hh"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nlb/abi/mark.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "linux/frame_socket.hh"
#include "shell.hh"
#include "wire/arp.hh"

namespace nlb::testing {
namespace {

constexpr uint16_t kIpv4 = 0x0800, kArp = 0x0806, kRarp = 0x8035;
constexpr uint16_t kPort = 7777;

struct Arp {
  uint8_t operation = 1;
  MacAddress sender_mac;
  IpAddress sender = IpAddress::v4(0);
  IpAddress target = IpAddress::v4(0);
  bool operator==(const Arp&) const = default;
};

std::vector<uint8_t> encode(const Arp& arp, uint8_t first_operation_octet = 0) {
  std::vector<uint8_t> payload = {0, 1, 8, 0, 6, 4, first_operation_octet, arp.operation};
  payload.resize(28);
  std::copy_n(arp.sender_mac.octets.begin(), 6, payload.begin() + 8);
  std::copy_n(arp.sender.octets.begin() + 12, 4, payload.begin() + 14);
  std::copy_n(arp.target.octets.begin() + 12, 4, payload.begin() + 24);
  return payload;
}

Arp decode(const std::vector<uint8_t>& payload) {
  Arp arp;
  arp.operation = payload[7];
  std::copy_n(payload.begin() + 8, 6, arp.sender_mac.octets.begin());
  std::copy_n(payload.begin() + 14, 4, arp.sender.octets.begin() + 12);
  std::copy_n(payload.begin() + 24, 4, arp.target.octets.begin() + 12);
  return arp;
}

// IPv4 + UDP with one octet of data, from 10.77.0.1.
std::vector<uint8_t> udp_to(const IpAddress& target) {
  std::vector<uint8_t> p = {0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0, 10, 77, 0, 1, 0, 0, 0, 0};
  std::copy_n(target.octets.begin() + 12, 4, p.begin() + 16);
  uint32_t sum = 0;
  for (std::size_t i = 0; i < p.size(); i += 2) sum += static_cast<uint32_t>(p[i] << 8 | p[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  p[10] = static_cast<uint8_t>(~sum >> 8);
  p[11] = static_cast<uint8_t>(~sum);
  for (const int octet : {0x10, 0, kPort >> 8, kPort & 0xff, 0, 9, 0, 0, 0x78})
    p.push_back(static_cast<uint8_t>(octet));
  return p;
}

// On a busy or slow kernel ksoftirqd delivers what was sent, some time after send() has returned.
bool readable_soon(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return poll(&waiting, 1, 100) == 1;
}

class GuardTest : public NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    plan_.interface = "veth0";
    plan_.vips = {kVip, *IpAddress::parse("10.77.0.101")};
    plan_.cluster_mac = kClusterMac;
    plan_.masked_mac = kMaskedMac;
    plan_.own_mac = kOwnMac;
    plan_.dedicated_ip = kDedicated;
    // The kernel's own say is left out: strict paths for spoofed test sources would hide the guard's.
    sh("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 "
       "net.ipv4.conf.veth0.rp_filter=0;"
       "ip addr add 10.77.0.100/32 dev veth0");
  }
  void install() {
    auto installed = install_guard(plan_);
    ASSERT_TRUE(installed) << installed.error().message;
  }
  void install_replace() {
    plan_.replace = true;
    install();
  }
  static std::unique_ptr<FrameSocket> open(const std::string& interface, uint16_t type) {
    return std::move(*FrameSocket::open(interface, type, std::nullopt));
  }
  // What arrives on the wire when the host sends this ARP frame by a packet socket, as a DHCP client would.
  static std::optional<std::pair<MacAddress, Arp>> sent(const MacAddress& source, const Arp& arp,
                                                        uint16_t type = kArp) {
    auto wire = open("veth1", type);
    (void)open("veth0", type)->send(source, kBroadcast, encode(arp));  // ENOBUFS when the guard drops it
    auto frame = readable_soon(wire->fd()) ? wire->receive() : std::nullopt;
    if (!frame) return std::nullopt;
    return std::pair{frame->source, decode(frame->payload)};
  }
  // Does a datagram that arrives at `peer`'s other end reach a socket of this host?
  static bool delivered(const IpAddress& to, const std::string& peer = "veth1",
                        const MacAddress& mac = kOwnMac) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(kPort);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    EXPECT_TRUE(open(peer, kIpv4)->send(kWireMac, mac, udp_to(to)));
    char octet;
    const bool arrived = readable_soon(fd) && recv(fd, &octet, 1, MSG_DONTWAIT) == 1;
    close(fd);
    return arrived;
  }
  // Stands for the filter: marks whatever comes in before the guard sees it.
  static void mark_everything(const std::string& mark) {
    sh("nft 'add table inet marker; add chain inet marker in { type filter hook prerouting priority -400; };"
       " add rule inet marker in meta mark set " +
       mark + "'");
  }
  GuardPlan plan_;
};

const std::string kMarkText = std::to_string(NLB_MARK);

// --- ingress

TEST_F(GuardTest, WithoutGuardAVipIsOpen) {
  EXPECT_TRUE(delivered(kVip));
}

TEST_F(GuardTest, UnmarkedPacketForAVipIsDropped) {
  install();
  EXPECT_FALSE(delivered(kVip));
  EXPECT_TRUE(delivered(kDedicated));
}

TEST_F(GuardTest, MarkedPacketForAVipIsDeliveredAndItsMarkCleared) {
  install();
  mark_everything(std::to_string(NLB_MARK | 5));
  sh("nft 'add table inet after; add chain inet after in { type filter hook input priority 0; };"
     " add rule inet after in ip daddr 10.77.0.100 meta mark 5 counter'");
  EXPECT_TRUE(delivered(kVip));
  EXPECT_NE(sh("nft list table inet after").find("counter packets 1"), std::string::npos)
      << "other bits stay";
}

TEST_F(GuardTest, OtherMarksAreNoFilter) {
  install();
  mark_everything("0x3fffffff");
  EXPECT_FALSE(delivered(kVip));
}

// That a translated connection goes on: tests/live/translated.py.
TEST_F(GuardTest, WhatConnectionTrackingDoesNotKnowIsDropped) {
  plan_.asks_tracking = true;
  install();
  mark_everything(std::to_string(NLB_MARK | NLB_MARK_ASK));
  EXPECT_FALSE(delivered(kVip));
  EXPECT_EQ(sh("cat /proc/sys/net/netfilter/nf_conntrack_count"), "0\n") << "and leaves no entry";
}

TEST_F(GuardTest, WhatNobodyAskedAboutIsLeftAloneByTheTrackingRules) {
  plan_.asks_tracking = true;
  install();
  mark_everything(kMarkText);
  EXPECT_TRUE(delivered(kVip));
}

TEST_F(GuardTest, TheTrackingRulesAreReadBackAsTheOthers) {
  plan_.asks_tracking = true;
  install();
  EXPECT_TRUE(guard_in_force(plan_).value_or(false));
  sh("nft flush chain inet nlb_veth0 tracking");
  EXPECT_FALSE(guard_in_force(plan_).value_or(true));
  plan_.asks_tracking = false;
  EXPECT_FALSE(guard_in_force(plan_).value_or(true)) << "a chain that is no longer wanted is noticed";
  install();
  EXPECT_TRUE(guard_in_force(plan_).value_or(false));
}

class OtherInterface : public GuardTest {
 protected:
  void SetUp() override {
    GuardTest::SetUp();
    if (IsSkipped()) return;
    sh("ip link add veth2 address 52:54:00:00:00:02 type veth peer name veth3; ip link set veth3 up;"
       "ip link set veth2 up; ip addr add 10.77.0.21/24 dev veth2; sysctl -qw "
       "net.ipv4.conf.veth2.rp_filter=0");
    wait_for_carrier("veth3");
    wait_for_carrier("veth2");
  }
  const MacAddress mac2_ = *MacAddress::parse("52:54:00:00:00:02");
  // Who answers when 10.77.0.1 asks at veth3 for `target`?
  std::optional<ArpAnswer> asked(const IpAddress& target) {
    auto wire = open("veth3", kArp);
    EXPECT_TRUE(
        wire->send(kWireMac, kBroadcast, encode({1, kWireMac, *IpAddress::parse("10.77.0.1"), target})));
    while (readable_soon(wire->fd()))
      while (auto frame = wire->receive())
        if (auto answer = parse_arp_reply(frame->payload)) return answer;
    return std::nullopt;
  }
};

TEST_F(OtherInterface, VipIsDroppedEvenMarked) {
  EXPECT_TRUE(delivered(kVip, "veth3", mac2_));
  install();
  mark_everything(kMarkText);
  EXPECT_FALSE(delivered(kVip, "veth3", mac2_));
  EXPECT_TRUE(delivered(kDedicated, "veth3", mac2_));
}

TEST_F(OtherInterface, LocalBridgeReachesTheVip) {  // containers of this host
  install();
  sh("ip link add br7 address 52:54:00:00:00:07 type bridge; ip link set br7 up; ip link set veth2 master "
     "br7;"
     "sysctl -qw net.ipv4.conf.br7.rp_filter=0; ip addr add 10.88.0.1/24 dev br7");
  EXPECT_TRUE(delivered(kVip, "veth3", *MacAddress::parse("52:54:00:00:00:07")));
}

TEST_F(OtherInterface, HostItselfReachesTheVip) {
  install();
  EXPECT_TRUE(succeeds("ping -c1 -W1 10.77.0.100"));
}

TEST_F(OtherInterface, DoesNotAnswerArpForAVip) {
  ASSERT_TRUE(asked(kVip))
      << "Linux answers for any of its addresses: without the guard the test shows nothing";
  install();
  EXPECT_FALSE(asked(kVip));
  EXPECT_TRUE(asked(kDedicated));
}

// --- egress

TEST_F(GuardTest, WithoutGuardEverythingLeaves) {
  const Arp reply{2, kOwnMac, kVip, *IpAddress::parse("10.77.0.1")};
  EXPECT_EQ(sent(kClusterMac, reply), (std::pair{kClusterMac, reply}));
}

TEST_F(GuardTest, ClusterMacNeverLeavesAsSource) {
  const Arp request{1, kOwnMac, kDedicated, *IpAddress::parse("10.77.0.1")};
  install();
  EXPECT_EQ(sent(kClusterMac, request)->first, kOwnMac) << "`add` sends from the adapter's own MAC";
  install_replace();
  EXPECT_EQ(sent(kClusterMac, request)->first, kMaskedMac);
  auto wire = open("veth1", kIpv4);  // not ARP alone
  ASSERT_TRUE(open("veth0", kIpv4)->send(kClusterMac, kWireMac, udp_to(*IpAddress::parse("10.77.0.1"))));
  EXPECT_EQ(wire->receive()->source, kMaskedMac);
}

// tc egress comes later and sees what the guard has mended: a classic BPF filter takes what has 02:01
// (masked) as the first octets of its source to the other interface.
TEST_F(GuardTest, RunsBeforeTc) {
  const Arp request{1, kOwnMac, kDedicated, *IpAddress::parse("10.77.0.1")};
  install_replace();
  sh("ip link add veth2 type veth peer name veth3; ip link set veth3 up; ip link set veth2 up");
  if (!succeeds("tc qdisc add dev veth0 clsact && tc filter add dev veth0 egress protocol all bpf bytecode "
                "'4,40 0 0 6,21 0 1 513,6 0 0 4294967295,6 0 0 0' action mirred egress redirect dev veth2"))
    GTEST_SKIP() << "no tc classifier bpf or action mirred in this kernel";
  wait_for_carrier("veth2");
  EXPECT_EQ(sent(kMaskedMac, request), std::nullopt) << "the filter takes the masked MAC";
  EXPECT_NE(sent(kOwnMac, request), std::nullopt) << "and nothing else";
  EXPECT_EQ(sent(kClusterMac, request), std::nullopt) << "the guard had masked it before";
}

TEST_F(GuardTest, KernelsOwnFramesAreMaskedToo) {
  sh("ip link set veth0 address " + kClusterMac.text());
  install_replace();
  auto wire = open("veth1", kArp);
  sh("ping -c1 -W1 10.77.0.1 >/dev/null || true");  // makes the kernel ask for it
  auto frame = wire->receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->source, kMaskedMac);
  EXPECT_EQ(decode(frame->payload), (Arp{1, kMaskedMac, kDedicated, *IpAddress::parse("10.77.0.1")}));
}

TEST_F(GuardTest, RequestWithAVipAsSenderIsMended) {
  const IpAddress gateway = *IpAddress::parse("10.77.0.1");
  const Arp asking{1, kOwnMac, kVip, gateway};
  install();
  EXPECT_EQ(sent(kOwnMac, asking), (std::pair{kOwnMac, Arp{1, kOwnMac, kDedicated, gateway}}));
  install_replace();
  EXPECT_EQ(sent(kOwnMac, asking)->second, (Arp{1, kMaskedMac, kDedicated, gateway}));
  plan_.dedicated_ip = IpAddress::v4(0);
  install();
  EXPECT_EQ(sent(kOwnMac, asking)->second, (Arp{1, kMaskedMac, IpAddress::v4(0), gateway}));
}

TEST_F(GuardTest, GratuitousRequestByHandBindsNothing) {  // arping -U
  install();
  const auto left = sent(kOwnMac, {1, kOwnMac, kVip, kVip});
  ASSERT_TRUE(left);
  EXPECT_EQ(left->second.sender, kDedicated);
}

TEST_F(GuardTest, ReplyThatBindsAVipToAnotherMacIsDropped) {
  install();
  EXPECT_EQ(sent(kOwnMac, {2, kOwnMac, kVip, *IpAddress::parse("10.77.0.1")}), std::nullopt);
  EXPECT_EQ(sent(kOwnMac, {2, kOwnMac, plan_.vips[1], *IpAddress::parse("10.77.0.1")}), std::nullopt);
}

TEST_F(GuardTest, KernelsReplyForAVipAddedByHandIsDropped) {
  auto wire = open("veth1", kArp);
  const auto asked = [&] {
    EXPECT_TRUE(
        wire->send(kWireMac, kBroadcast, encode({1, kWireMac, *IpAddress::parse("10.77.0.1"), kVip})));
    return wire->receive().has_value();
  };
  EXPECT_TRUE(asked());
  install();
  EXPECT_FALSE(asked());
}

TEST_F(GuardTest, ReplyWithTheClusterMacLeaves) {
  install();
  const Arp reply{2, kClusterMac, kVip, *IpAddress::parse("10.77.0.1")};
  EXPECT_EQ(sent(kOwnMac, reply), (std::pair{kOwnMac, reply}));
}

TEST_F(GuardTest, DedicatedAddressIsBoundToTheMaskedMac) {
  install_replace();
  EXPECT_EQ(sent(kClusterMac, {2, kClusterMac, kDedicated, kVip})->second.sender_mac, kMaskedMac);
}

TEST_F(GuardTest, ProbeWithTheClusterMacIsLeftAlone) {  // own/cluster of the proof
  install_replace();
  const Arp probe{1, kClusterMac, IpAddress::v4(0), *IpAddress::parse("10.77.0.1")};
  EXPECT_EQ(sent(kOwnMac, probe), (std::pair{kOwnMac, probe}));
}

TEST_F(GuardTest, RarpForAVipIsDropped) {
  install();
  EXPECT_EQ(sent(kOwnMac, {4, kOwnMac, kVip, kDedicated}, kRarp), std::nullopt);
  EXPECT_EQ(sent(kOwnMac, {4, kOwnMac, kDedicated, plan_.vips[1]}, kRarp), std::nullopt);
  EXPECT_NE(sent(kOwnMac, {3, kOwnMac, kDedicated, kDedicated}, kRarp), std::nullopt);
}

// --- reading back

TEST_F(GuardTest, InForceUntilTouched) {
  EXPECT_EQ(guard_in_force(plan_), false);
  install();
  EXPECT_EQ(guard_in_force(plan_), true);
  EXPECT_TRUE(delivered(kDedicated));  // counters move
  EXPECT_EQ(guard_in_force(plan_), true);
  GuardPlan other = plan_;
  other.vips.pop_back();
  EXPECT_EQ(guard_in_force(other), false);
}

TEST_F(GuardTest, EveryKindOfTamperingIsNoticed) {
  for (const std::string change : {
           "delete table inet nlb_veth0",
           "delete table arp nlb_veth0",
           "delete table netdev nlb_veth0",
           "flush chain inet nlb_veth0 ingress",
           "flush chain netdev nlb_veth0 egress",
           "insert rule inet nlb_veth0 ingress accept",
           "insert rule inet nlb_veth0 ingress accept comment \"opennlb 0000000000000000\"",
           "delete element inet nlb_veth0 vips { 10.77.0.100 }",
           "add element arp nlb_veth0 vips { 10.77.0.102 }",
           "add table inet nlb_veth0 { flags dormant; }",
       }) {
    install();
    ASSERT_EQ(guard_in_force(plan_), true);
    sh("nft '" + change + "'");
    EXPECT_EQ(guard_in_force(plan_), false) << change;
  }
}

// Older kernels drop the chain with the adapter; newer ones keep it and hook the next of that name.
// Whichever: what is said to be in force is.
TEST_F(GuardTest, RecreatedAdapter) {
  install_replace();
  sh("ip link del veth0");
  EXPECT_EQ(guard_in_force(plan_), false);
  sh("ip link add veth0 type veth peer name veth1; ip link set veth1 up; ip link set veth0 up");
  wait_for_carrier("veth0");
  auto in_force = guard_in_force(plan_);
  ASSERT_TRUE(in_force);
  if (!*in_force) install();
  EXPECT_EQ(sent(kClusterMac, {1, kOwnMac, kDedicated, kVip})->first, kMaskedMac);
}

TEST_F(GuardTest, ManyVips) {
  plan_.vips.clear();
  for (uint32_t i = 0; i < 64; ++i) plan_.vips.push_back(IpAddress::v4(0x0a4d0064 + i));
  install();
  EXPECT_EQ(guard_in_force(plan_), true);
  EXPECT_FALSE(delivered(kVip));
}

TEST_F(GuardTest, RemovedWithoutTraceAndTwice) {
  const std::string before = sh("nft list ruleset");
  install();
  for (int i = 0; i < 2; ++i) {
    auto removed = remove_guard("veth0");
    ASSERT_TRUE(removed) << removed.error().message;
    EXPECT_EQ(sh("nft list ruleset"), before);
  }
}

TEST_F(GuardTest, TwoClustersSideBySide) {
  sh("ip link add cl-2.7@x type veth peer name veth9; ip link set cl-2.7@x up");
  GuardPlan second = plan_;
  second.interface = "cl-2.7@x";
  install();
  auto installed = install_guard(second);
  ASSERT_TRUE(installed) << installed.error().message;
  EXPECT_EQ(guard_in_force(plan_), true);
  EXPECT_EQ(guard_in_force(second), true);
  ASSERT_TRUE(remove_guard("veth0"));
  EXPECT_EQ(guard_in_force(second), true);
}

TEST_F(GuardTest, FailureLeavesTheFormerGuard) {
  install();
  GuardPlan absent = plan_;
  absent.interface = "eth9";
  auto installed = install_guard(absent);
  ASSERT_FALSE(installed);
  EXPECT_NE(installed.error().message.find("eth9"), std::string::npos) << installed.error().message;
  EXPECT_EQ(guard_in_force(plan_), true);
  absent.interface = "e\"; flush";
  EXPECT_FALSE(install_guard(absent));
}

}  // namespace
}  // namespace nlb::testing
