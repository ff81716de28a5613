// SPDX-License-Identifier: Apache-2.0
// The whole of the guard in the kernel, by live frames: programs, maps, table and gate over a real bridge.
//
//     guest1 ── tap1 ┐
//     guest2 ── tap2 ┤ br0 (the host's own)
//     wire   ── eno1 ┘ uplink
#include "vmswitch/enforcement.hh"

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "linux/frame_socket.hh"
#include "shell.hh"
#include "vmswitch/port_hooks.hh"

namespace nlb::vmswitch {
namespace {

using nlb::testing::kBroadcast;
using nlb::testing::sh;

constexpr uint16_t kEtherType = 0x88b7;  // of nobody in particular
constexpr uint16_t kArp = 0x0806;
const MacAddress kGuest1 = *MacAddress::parse("52:54:00:00:00:01");
const MacAddress kGuest2 = *MacAddress::parse("52:54:00:00:00:02");
const MacAddress kOther = *MacAddress::parse("52:54:00:00:00:99");
const MacAddress kNobody = *MacAddress::parse("52:54:00:00:00:97");
const MacAddress kCluster = *MacAddress::parse("02:bf:0a:4d:00:64");
const MacAddress kMasked1 = *MacAddress::parse("02:01:0a:4d:00:64");

constexpr const char* kConfig = R"([[switch]]
bridge = "br0"
uplinks = ["eno1"]
[[cluster]]
name = "web"
type = "nlb"
vips = ["10.77.0.100"]
hosts = [1, 2]
[[port]]
vm = "web1"
interface = "tap1"
mac = "52:54:00:00:00:01"
cluster = "web"
host_id = 1
[[port]]
vm = "web2"
interface = "tap2"
mac = "52:54:00:00:00:02"
)";

// That 10.77.0.N is at this MAC.
std::vector<uint8_t> arp_reply(const MacAddress& mac, uint8_t n) {
  std::vector<uint8_t> reply{0, 1, 8, 0, 6, 4, 0, 2};
  const auto add = [&](const auto& octets) { reply.insert(reply.end(), octets.begin(), octets.end()); };
  add(mac.octets);
  add(std::array<uint8_t, 4>{10, 77, 0, n});
  add(kNobody.octets);
  add(std::array<uint8_t, 4>{10, 77, 0, 200});
  reply.resize(46);
  return reply;
}

class EnforcementTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root for a network namespace";
    sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1\n"
       "ip link set lo up\n"
       "ip link add br0 type bridge\n"
       "ip link set br0 up\n"
       "ip link add tap1 type veth peer name guest1 address 52:54:00:00:00:01\n"
       "ip link add tap2 type veth peer name guest2 address 52:54:00:00:00:02\n"
       "ip link add eno1 type veth peer name wire address 52:54:00:00:00:aa\n"
       "for i in guest1 guest2 wire tap1 tap2 eno1; do ip link set $i up; done\n"
       "for i in tap1 tap2 eno1; do ip link set $i master br0; done");
    for (const char* name : {"guest1", "guest2", "wire", "br0"}) nlb::testing::wait_for_carrier(name);
    one_ = std::move(*FrameSocket::open("guest1", kEtherType, std::nullopt));
    two_ = std::move(*FrameSocket::open("guest2", kEtherType, std::nullopt));
    wire_ = std::move(*FrameSocket::open("wire", kEtherType, std::nullopt));
    for (const char* name : {"guest1", "guest2", "wire"})
      sh(std::string("ip link set ") + name + " promisc on");
    configure(kConfig);
  }
  void configure(const std::string& text) {
    auto read = parse_switch_config({"f", text}, {});
    ASSERT_TRUE(read.has_value()) << text_of(read.error());
    config_ = *read;
    numbers_.follow(config_.clusters);
  }
  // As a daemon's start does; the one before it is gone, as after kill -9.
  void start(bool may_use_tcx = true) {
    guard_.reset();
    EnforcementOptions options;
    options.may_use_tcx = may_use_tcx;
    auto started = Enforcement::start(options, config_);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    guard_ = std::move(*started);
    look();
  }
  std::vector<Finding> look() {
    auto found = guard_->look_again(config_, numbers_);
    EXPECT_TRUE(found.has_value()) << found.error().message;
    return found.value_or(std::vector<Finding>{});
  }
  bool passes(FrameSocket& from, const MacAddress& source, const MacAddress& destination, FrameSocket& to) {
    return passes(from, source, destination, to, {1, 2, 3, static_cast<uint8_t>(++count_)});
  }
  bool claims(FrameSocket& from, uint8_t n, FrameSocket& to, const MacAddress& mac = kGuest2) {
    while (to.receive()) {
    }
    return passes(from, mac, kBroadcast, to, arp_reply(mac, n));
  }
  static bool passes(FrameSocket& from, const MacAddress& source, const MacAddress& destination,
                     FrameSocket& to, const std::vector<uint8_t>& payload) {
    EXPECT_TRUE(from.send(source, destination, payload));
    bool arrived = false;
    // On a busy or slow kernel ksoftirqd delivers it, some time after send() has returned.
    for (int turn = 0; turn < 20 && !arrived; ++turn) {
      if (turn != 0) usleep(1000);
      while (auto frame = to.receive()) arrived = arrived || frame->payload == payload;
    }
    return arrived;
  }
  static bool said(const std::vector<Finding>& findings, Finding::Kind kind, const std::string& where) {
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return finding.kind == kind && finding.where == where;
    });
  }
  const PortStatus& port(const std::string& interface) {
    return *std::find_if(guard_->ports().begin(), guard_->ports().end(),
                         [&](const PortStatus& status) { return status.at.interface == interface; });
  }
  void expect_guarded() {
    EXPECT_TRUE(passes(*one_, kGuest1, kGuest2, *two_));
    EXPECT_TRUE(passes(*one_, kGuest1, kBroadcast, *wire_));
    EXPECT_TRUE(passes(*wire_, kOther, kGuest2, *two_));
    EXPECT_FALSE(passes(*one_, kOther, kGuest2, *two_));  // spoofed
    EXPECT_FALSE(passes(*one_, kGuest2, kBroadcast, *wire_));
    EXPECT_FALSE(passes(*one_, kMasked1, kBroadcast, *two_));  // a member only when the setting says so
    EXPECT_FALSE(passes(*wire_, kOther, kGuest2, *one_));      // promiscuous, flooded or not
    EXPECT_FALSE(passes(*wire_, kOther, kNobody, *one_));      // unknown unicast
    EXPECT_FALSE(passes(*wire_, kGuest2, kBroadcast, *one_));  // a guest's MAC from outside
  }

  SwitchConfig config_;
  ClusterNumbers numbers_;
  std::unique_ptr<Enforcement> guard_;
  int count_ = 0;
  std::unique_ptr<FrameSocket> one_, two_, wire_;
};

TEST_F(EnforcementTest, GuardsByTcxWhereTheKernelHasIt) {
  start();
  expect_guarded();
  EXPECT_EQ(port("tap1").hooks.kind, PortHooks::kernel_has_tcx() ? HookKind::tcx : HookKind::clsact);
  EXPECT_TRUE(port("eno1").uplink);
  EXPECT_TRUE(look().empty());
}

TEST_F(EnforcementTest, GuardsByClsact) {
  start(false);
  EXPECT_EQ(port("tap1").hooks.kind, HookKind::clsact);
  expect_guarded();
  EXPECT_TRUE(look().empty());
}

TEST_F(EnforcementTest, GoesFromOneKindOfHookToTheOther) {
  if (!PortHooks::kernel_has_tcx()) GTEST_SKIP() << "this kernel has no tcx";
  start(false);
  start(true);
  EXPECT_EQ(port("tap1").hooks.kind, HookKind::tcx);
  EXPECT_EQ(sh("tc filter show dev tap1 ingress; tc filter show dev tap1 egress"), "");
  expect_guarded();
  start(false);
  EXPECT_EQ(port("tap1").hooks.kind, HookKind::clsact);
  expect_guarded();
}

TEST_F(EnforcementTest, TheMembersMacsPassUnderClusterOnly) {
  std::string text = kConfig;
  configure(text.insert(text.find("cluster = \"web\""), "mac_spoofing = \"cluster\"\n"));
  start();
  EXPECT_TRUE(passes(*one_, kMasked1, kBroadcast, *two_));
  EXPECT_TRUE(passes(*wire_, kOther, kCluster, *one_));
  EXPECT_FALSE(passes(*wire_, kOther, kCluster, *two_));
  EXPECT_FALSE(passes(*one_, kCluster, kBroadcast, *two_));
  configure(kConfig);  // and no more when it is taken back
  look();
  EXPECT_FALSE(passes(*one_, kMasked1, kBroadcast, *two_));
  EXPECT_FALSE(passes(*wire_, kOther, kCluster, *one_));
}

// Debian's kernel can, and its guest in guest_kernel may not leave this out.
TEST_F(EnforcementTest, OnABridgeThatFiltersVlansAClusterIsOneInItsVlanOnly) {
  if (std::system("ip link set br0 type bridge vlan_filtering 1 2>/dev/null") != 0)
    GTEST_SKIP() << "this kernel's bridge filters no VLANs";
  sh("for i in tap1 tap2; do bridge vlan add vid 7 dev $i pvid untagged; bridge vlan del vid 1 dev $i; done\n"
     "bridge vlan add vid 7 dev eno1\n"
     "ip link add link wire name wire.7 type vlan id 7 && ip link set wire.7 up promisc on");
  nlb::testing::wait_for_carrier("wire.7");
  std::string text = kConfig;
  const auto put = [&](const std::string& before, const std::string& more) {
    text.insert(text.find(before) + before.size(), more);
  };
  put("hosts = [1, 2]\n", "vlan = 7\n");
  put("host_id = 1\n", "mac_spoofing = \"cluster\"\nvlan = 7\n");
  put("mac = \"52:54:00:00:00:02\"\n", "vlan = 7\n");
  configure(text);
  start();
  const auto trunk = std::move(*FrameSocket::open("wire.7", kEtherType, std::nullopt));
  EXPECT_TRUE(passes(*one_, kGuest1, kGuest2, *two_));
  EXPECT_TRUE(passes(*one_, kMasked1, kBroadcast, *two_)) << "a member, in its VLAN";
  EXPECT_TRUE(passes(*one_, kMasked1, kBroadcast, *trunk));
  EXPECT_FALSE(passes(*one_, kOther, kBroadcast, *two_));
  EXPECT_FALSE(passes(*one_, kCluster, kBroadcast, *two_));
  EXPECT_TRUE(passes(*trunk, kOther, kCluster, *one_)) << "from the trunk, in VLAN 7, to the member";
  EXPECT_FALSE(passes(*trunk, kOther, kCluster, *two_)) << "no member";
  EXPECT_FALSE(passes(*wire_, kOther, kCluster, *one_)) << "another VLAN";
  EXPECT_TRUE(passes(*trunk, kOther, kGuest2, *two_));
}

// A tag with the number of a PVID is no tag to such a bridge; and what is tagged here may be without there.
TEST_F(EnforcementTest, OnABridgeThatFiltersVlansATagIsNoWayRoundTheAddresses) {
  if (std::system("ip link set br0 type bridge vlan_filtering 1 2>/dev/null") != 0)
    GTEST_SKIP() << "this kernel's bridge filters no VLANs";
  const auto tagged = [](const std::string& on, const std::string& vlan) {
    const std::string name = on + "." + vlan;
    sh("ip link add link " + on + " name " + name + " type vlan id " + vlan + " && ip link set " + name +
       " up");
    nlb::testing::wait_for_carrier(name.c_str());
    return std::move(*FrameSocket::open(name, kArp, std::nullopt));
  };
  const auto plain = std::move(*FrameSocket::open("guest2", kArp, std::nullopt));
  const auto wire = std::move(*FrameSocket::open("wire", kArp, std::nullopt));
  const auto one = std::move(*FrameSocket::open("guest1", kArp, std::nullopt));
  const auto as_pvid = tagged("guest2", "1");
  start();
  for (auto* from : {plain.get(), as_pvid.get()}) {
    SCOPED_TRACE(from == plain.get() ? "without a tag" : "tagged with the PVID");
    EXPECT_TRUE(claims(*from, 50, *one)) << "nobody's";
    EXPECT_FALSE(claims(*from, 100, *one)) << "the cluster's";
  }
  const auto from_trunk = tagged("wire", "1");
  EXPECT_FALSE(claims(*from_trunk, 100, *one, kOther)) << "from the uplink";
  const auto monitor = std::move(*BridgeMonitor::open());
  sh("bridge vlan add vid 7 dev tap1 pvid untagged; bridge vlan add vid 7 dev tap2; bridge vlan add vid 7 "
     "dev "
     "eno1");
  pollfd hint{monitor->link_fd(), POLLIN, 0};
  EXPECT_EQ(poll(&hint, 1, 1000), 1) << "the daemon hears of it";
  const auto as_other = tagged("guest2", "7");
  const auto trunk = tagged("wire", "7");
  look();
  EXPECT_TRUE(claims(*as_other, 50, *one)) << "what one port tags and the other does not";
  EXPECT_FALSE(claims(*as_other, 100, *one));
  EXPECT_TRUE(claims(*trunk, 50, *one, kOther));
  EXPECT_FALSE(claims(*trunk, 100, *one, kOther));
  EXPECT_FALSE(claims(*as_pvid, 100, *wire)) << "where it was before";
  EXPECT_TRUE(look().empty()) << "no port has left or joined by it";
}

// BPF_PROG_TEST_RUN makes no such frames: the kernel's own, by a packet socket with a virtio header.
TEST_F(EnforcementTest, AChecksumThatIsLeftToTheKernelStaysOffWhatWasJudged) {
  start();
  const int from = socket(AF_PACKET, SOCK_RAW, 0), yes = 1;
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_ifindex = static_cast<int>(if_nametoindex("guest1"));
  ASSERT_EQ(bind(from, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  ASSERT_EQ(setsockopt(from, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes), 0);
  const auto send = [&](const std::vector<uint8_t>& payload, uint16_t type, uint16_t begin, uint16_t field) {
    std::vector<uint8_t> frame{
        1, 0, 0, 0, 0, 0, static_cast<uint8_t>(begin), 0, static_cast<uint8_t>(field - begin),
        0};  // VIRTIO_NET_HDR_F_NEEDS_CSUM
    frame.insert(frame.end(), kBroadcast.octets.begin(), kBroadcast.octets.end());
    frame.insert(frame.end(), kGuest1.octets.begin(), kGuest1.octets.end());
    frame.push_back(static_cast<uint8_t>(type >> 8));
    frame.push_back(static_cast<uint8_t>(type));
    frame.insert(frame.end(), payload.begin(), payload.end());
    EXPECT_EQ(write(from, frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  };
  const auto counted = [&](uint16_t reason) {
    uint64_t sum = 0;
    for (const auto& count : guard_->maps().counters())
      if (count.ifindex == if_nametoindex("tap1") && count.direction == NLB_GUARD_TRANSMIT &&
          count.reason == reason)
        sum += count.sum.packets;
    return sum;
  };
  const std::vector<uint8_t> arp = arp_reply(kGuest1, 50);
  std::vector<uint8_t> tcp{0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 77, 0, 11, 10, 77, 0, 12};
  tcp.resize(40);
  tcp[32] = 0x50;
  send(arp, kArp, 20, 30);
  EXPECT_EQ(counted(NLB_GUARD_REASON_checksum_offload), 1U);
  send(tcp, 0x0800, 34, 36);
  EXPECT_EQ(counted(NLB_GUARD_REASON_checksum_offload), 2U) << "over the ports";
  const uint64_t passed = counted(NLB_GUARD_REASON_passed);
  send(tcp, 0x0800, 34, 50);
  EXPECT_EQ(counted(NLB_GUARD_REASON_passed), passed + 1);
  close(from);
}

TEST_F(EnforcementTest, StaysWithoutADaemonAndIsAdopted) {
  start();
  const auto before = sh("nft list table bridge nlb_switch_br0 | grep -v counter");
  const auto programs = PortHooks(if_nametoindex("tap1"), "tap1", true).guard_programs();
  guard_.reset();
  expect_guarded();
  start();
  EXPECT_TRUE(guard_->adopted());
  // The same code over the same maps need not be replaced.
  EXPECT_EQ(PortHooks(if_nametoindex("tap1"), "tap1", true).guard_programs(), programs);
  EXPECT_EQ(sh("nft list table bridge nlb_switch_br0 | grep -v counter"), before);
  expect_guarded();
}

TEST_F(EnforcementTest, CountsGoOnAcrossARestart) {
  start();
  const auto spoofed = [&] {
    uint64_t sum = 0;
    for (const auto& count : guard_->maps().counters())
      if (count.ifindex == if_nametoindex("tap1") && count.reason == NLB_GUARD_REASON_source_spoofed)
        sum += count.sum.packets;
    return sum;
  };
  passes(*one_, kOther, kBroadcast, *two_);
  EXPECT_EQ(spoofed(), 1U);
  start();
  passes(*one_, kOther, kBroadcast, *two_);
  EXPECT_EQ(spoofed(), 2U);
}

TEST_F(EnforcementTest, AnUnknownPortIsClosedUnlessAllowed) {
  start();
  sh("ip link add tap9 type veth peer name guest9; ip link set guest9 up; ip link set tap9 up;"
     "ip link set tap9 master br0");
  nlb::testing::wait_for_carrier("guest9");
  auto nine = std::move(*FrameSocket::open("guest9", kEtherType, std::nullopt));
  EXPECT_FALSE(passes(*nine, kOther, kBroadcast, *two_));  // before it was noticed
  EXPECT_TRUE(said(look(), Finding::Kind::port_joined, "tap9"));
  EXPECT_FALSE(passes(*nine, kOther, kBroadcast, *two_));
  EXPECT_FALSE(passes(*one_, kGuest1, kBroadcast, *nine));
  std::string text = kConfig;
  configure(text.insert(text.find("uplinks"), "unknown_ports = \"sticky\"\n"));
  look();
  EXPECT_TRUE(passes(*nine, kOther, kBroadcast, *two_));
  EXPECT_FALSE(passes(*nine, *MacAddress::parse("52:54:00:00:00:98"), kBroadcast, *two_));
  EXPECT_FALSE(passes(*nine, kGuest1, kBroadcast, *two_));
  EXPECT_TRUE(passes(*one_, kGuest1, kBroadcast, *nine));
  configure(kConfig);
  look();
  EXPECT_FALSE(passes(*nine, kOther, kBroadcast, *two_));
}

TEST_F(EnforcementTest, APortThatLeavesTheBridgeIsReleased) {
  start();
  sh("ip link set tap2 nomaster");
  EXPECT_TRUE(said(look(), Finding::Kind::port_left, "tap2"));
  EXPECT_TRUE(PortHooks(if_nametoindex("tap2"), "tap2", true).guard_programs().empty());
  sh("ip link set tap2 master br0");
  EXPECT_FALSE(passes(*two_, kGuest2, kBroadcast, *one_));
  look();
  EXPECT_TRUE(passes(*two_, kGuest2, kBroadcast, *one_));
}

TEST_F(EnforcementTest, ABridgeThatIsNoLongerDeclaredIsReleased) {
  start();
  configure("[[switch]]\nbridge = \"br7\"\n");
  look();
  EXPECT_TRUE(passes(*one_, kOther, kBroadcast, *two_));
  EXPECT_EQ(sh("nft list tables | grep -c nlb_switch_br0 || true"), "0\n");
}

TEST_F(EnforcementTest, ReleaseLeavesNothing) {
  const auto everything = [] {
    return sh(
        "nft list tables; bridge fdb show br br0 | grep static; for i in tap1 tap2 eno1; do tc qdisc show "
        "dev $i;"
        "tc filter show dev $i ingress; done; true");
  };
  const auto before = everything();
  for (const bool may_use_tcx : {true, false}) {
    start(may_use_tcx);
    EXPECT_NE(everything(), before);
    ASSERT_TRUE(guard_->release(config_));
    EXPECT_EQ(everything(), before);
    EXPECT_TRUE(PortHooks(if_nametoindex("tap1"), "tap1", true).guard_programs().empty());
    EXPECT_TRUE(passes(*one_, kOther, kBroadcast, *two_));
  }
}

// Counters of machines that come and go all day would fill the map.
TEST_F(EnforcementTest, ForgetsWhatWasCountedOfPortsThatAreGone) {
  start();
  passes(*one_, kOther, kBroadcast, *two_);
  const uint32_t tap1 = if_nametoindex("tap1");
  const auto counted = [&] {
    const auto all = guard_->maps().counters();
    return std::any_of(all.begin(), all.end(),
                       [&](const ReasonCount& count) { return count.ifindex == tap1; });
  };
  guard_->maps().forget_others({tap1});
  EXPECT_TRUE(counted());
  guard_->maps().forget_others({});
  EXPECT_FALSE(counted());
}

TEST_F(EnforcementTest, RemovedProgramsClosePortAreSaidAndPutBack) {
  start(false);
  sh("tc qdisc del dev tap1 clsact");
  EXPECT_FALSE(passes(*one_, kGuest1, kBroadcast, *two_));  // no mark: closed before anybody has noticed
  EXPECT_TRUE(said(look(), Finding::Kind::programs_removed, "tap1"));
  expect_guarded();
  sh("tc filter del dev tap2 egress");
  EXPECT_TRUE(said(look(), Finding::Kind::programs_removed, "tap2"));
  expect_guarded();
}

TEST_F(EnforcementTest, ARemovedGateIsSaidAndPutBack) {
  start();
  sh("nft flush ruleset");
  expect_guarded();  // programs hold on their own
  EXPECT_TRUE(said(look(), Finding::Kind::gate_removed, "br0"));
  EXPECT_TRUE(look().empty());
}

TEST_F(EnforcementTest, AnIngressQdiscLeavesThePortClosedTowardsTheGuestWithoutTcx) {
  sh("tc qdisc add dev tap1 ingress");
  start(false);
  EXPECT_EQ(port("tap1").hooks.kind, HookKind::ingress_qdisc);
  EXPECT_TRUE(port("tap1").hooks.transmit);
  EXPECT_FALSE(port("tap1").ready);
  EXPECT_NE(port("tap1").hooks.obstacle.find("tc qdisc del dev tap1 ingress"), std::string::npos);
  EXPECT_TRUE(passes(*one_, kGuest1, kBroadcast, *two_));
  EXPECT_FALSE(passes(*one_, kOther, kBroadcast, *two_));
  EXPECT_FALSE(passes(*two_, kGuest2, kGuest1, *one_));
  EXPECT_TRUE(look().empty());  // told once
  sh("tc qdisc del dev tap1 ingress");
  look();
  EXPECT_TRUE(port("tap1").ready);
  expect_guarded();
}

TEST_F(EnforcementTest, TcxStandsBesideAnIngressQdisc) {
  if (!PortHooks::kernel_has_tcx()) GTEST_SKIP() << "this kernel has no tcx";
  sh("tc qdisc add dev tap1 ingress");
  start();
  expect_guarded();
  sh("tc qdisc add dev tap2 ingress; tc qdisc del dev tap1 ingress");
  EXPECT_TRUE(look().empty());
  expect_guarded();
}

// A program of somebody else that comes first and says "pass" would end the chain before the guard.
TEST_F(EnforcementTest, AForeignProgramThatComesFirstIsNoticedAndPassedBy) {
  if (!PortHooks::kernel_has_tcx()) GTEST_SKIP() << "this kernel has no tcx";
  const std::vector<bpf_insn> pass = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
                                      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  const FileDescriptor foreign(
      bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", pass.data(), pass.size(), nullptr));
  ASSERT_TRUE(static_cast<bool>(foreign));
  struct bpf_prog_attach_opts first {};
  first.sz = sizeof first;
  first.flags = 1U << 3;  // BPF_F_BEFORE
  const auto put_first = [&](int place) {
    return bpf_prog_attach_opts(foreign.get(), static_cast<int>(if_nametoindex("tap1")),
                                static_cast<bpf_attach_type>(place), &first);
  };
  start();
  ASSERT_EQ(put_first(46), 0);
  EXPECT_FALSE(passes(*one_, kGuest1, kBroadcast, *two_));  // no mark
  EXPECT_TRUE(said(look(), Finding::Kind::programs_removed, "tap1"));
  expect_guarded();
  ASSERT_EQ(put_first(47), 0);
  EXPECT_TRUE(said(look(), Finding::Kind::programs_removed, "tap1"));
  expect_guarded();
}

TEST_F(EnforcementTest, PinsGuardedMacsInTheTable) {
  start();
  const auto table = sh("bridge fdb show br br0");
  EXPECT_NE(table.find("52:54:00:00:00:01 dev tap1 sticky master br0 static"), std::string::npos) << table;
  sh("bridge fdb del 52:54:00:00:00:01 dev tap1 master; bridge fdb replace " + kCluster.text() +
     " dev tap2 master dynamic");
  look();
  const auto again = sh("bridge fdb show br br0");
  EXPECT_NE(again.find("52:54:00:00:00:01 dev tap1 sticky master br0 static"), std::string::npos) << again;
  EXPECT_EQ(again.find(kCluster.text()), std::string::npos) << again;
}

TEST_F(EnforcementTest, AuditDropsNothing) {
  std::string text = kConfig;
  configure(text.insert(text.find("uplinks"), "policy = \"audit\"\n"));
  start();
  EXPECT_TRUE(passes(*one_, kOther, kBroadcast, *two_));
  EXPECT_TRUE(passes(*wire_, kOther, kNobody, *one_));
  sh("ip link add tap9 type veth peer name guest9; ip link set guest9 up; ip link set tap9 up;"
     "ip link set tap9 master br0");
  nlb::testing::wait_for_carrier("guest9");
  auto nine = std::move(*FrameSocket::open("guest9", kEtherType, std::nullopt));
  EXPECT_TRUE(passes(*nine, kOther, kBroadcast, *two_));
  look();
  EXPECT_TRUE(passes(*nine, kOther, kBroadcast, *two_));
}

TEST_F(EnforcementTest, AViolationShutsThePortUntilItIsRecovered) {
  configure(std::string(kConfig) + "violation = \"shutdown\"\n");
  start();
  EXPECT_TRUE(passes(*two_, kGuest2, kBroadcast, *one_));
  EXPECT_FALSE(passes(*two_, kOther, kBroadcast, *one_));
  EXPECT_FALSE(passes(*two_, kGuest2, kBroadcast, *one_));
  const uint32_t tap2 = if_nametoindex("tap2");
  EXPECT_GT(guard_->maps().state(tap2)->down_ns, guard_->maps().port(tap2)->recovered_ns);
  look();
  EXPECT_FALSE(passes(*two_, kGuest2, kBroadcast, *one_));
  ASSERT_TRUE(guard_->maps().recover(tap2, boottime_now()));
  look();
  EXPECT_TRUE(passes(*two_, kGuest2, kBroadcast, *one_));
}

class LearnedMacs : public EnforcementTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Are, LearnedMacs, ::testing::Bool(),
                         [](const auto& kind) { return kind.param ? "sticky" : "ageing"; });

TEST_P(LearnedMacs, GiveTheirPlaceWhenTheyAreNotUsedAnyMore) {
  const bool sticky = GetParam();
  configure(std::string(kConfig) + "mac_spoofing = \"on\"\nmax_macs = 2\n" +
            (sticky ? "sticky = true\n" : ""));
  start();
  EXPECT_TRUE(passes(*two_, kOther, kBroadcast, *one_)) << "its own MAC has the other place";
  EXPECT_FALSE(passes(*two_, kNobody, kBroadcast, *one_));
  guard_->maps().age_learned(UINT64_MAX);  // as long after
  EXPECT_EQ(passes(*two_, kNobody, kBroadcast, *one_), !sticky);
  EXPECT_EQ(passes(*two_, kOther, kBroadcast, *one_), sticky) << "a place is not given twice";
}

// A host with many machines: the look after one more has joined, which attaches programs, writes its policy
// and opens the gate for it. Best of several, as a shared machine is slow at times.
class ManyPorts : public EnforcementTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(By, ManyPorts, ::testing::Bool(),
                         [](const auto& hook) { return hook.param ? "tcx" : "clsact"; });

// NLB_PORTS: another number, for an emulated machine.
TEST_P(ManyPorts, TheTwoHundredthPortCostsNoMoreThanTwiceTheSecond) {
  if (GetParam() && !PortHooks::kernel_has_tcx()) GTEST_SKIP() << "this kernel has no tcx";
  const char* const asked = std::getenv("NLB_PORTS");
  const int ports = asked != nullptr ? std::atoi(asked) : 200;
  constexpr int kTries = 7;
  std::string text = kConfig, text_of_two, batch;
  for (int i = 1; i <= ports; ++i) {
    const std::string name = "vm" + std::to_string(i);
    char mac[32];
    std::snprintf(mac, sizeof mac, "52:54:00:02:00:%02x", static_cast<unsigned>(i));
    if (i == 2) text_of_two = text;
    text += "[[port]]\nvm = \"" + name + "\"\ninterface = \"" + name + "\"\nmac = \"" + mac + "\"\n";
    batch += "link add " + name + " type veth peer name far" + std::to_string(i) + "\n";
  }
  sh("set -e\nip -batch - <<'END'\n" + batch + "END\nip link del tap2; ip link del eno1");
  configure(text_of_two);
  start(GetParam());
  const auto cost_of_joining = [&](const std::string& name) {
    auto least = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < kTries; ++i) {
      sh("ip link set " + name + " nomaster");
      look();
      sh("ip link set " + name + " master br0");
      const auto begin = std::chrono::steady_clock::now();
      EXPECT_TRUE(said(look(), Finding::Kind::port_joined, name));
      least = std::min(least, std::chrono::steady_clock::now() - begin);
      EXPECT_TRUE(port(name).ready);
    }
    return std::chrono::duration<double, std::milli>(least).count();
  };
  const double second = cost_of_joining("vm1");
  configure(text);
  std::string join;
  for (int i = 2; i < ports; ++i) join += "link set vm" + std::to_string(i) + " master br0\n";
  sh("ip -batch - <<'END'\n" + join + "END");
  look();
  EXPECT_EQ(guard_->ports().size(), static_cast<std::size_t>(ports));  // tap1 and all but the last
  const double last = cost_of_joining("vm" + std::to_string(ports));
  std::printf("the second port: %.2f ms, the %dth: %.2f ms\n", second, ports, last);
  EXPECT_LE(last, 2 * second);
}

}  // namespace
}  // namespace nlb::vmswitch
