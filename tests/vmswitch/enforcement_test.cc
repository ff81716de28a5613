// SPDX-License-Identifier: Apache-2.0
// The whole of the guard in the kernel, by live frames: programs, maps, table and gate over a real bridge.
#include "vmswitch/enforcement.hh"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <functional>
#include <thread>

#include "datapath/tc_filter.hh"
#include "guarded_bridge.hh"
#include "linux/bridge.hh"
#include "vmswitch/port_hooks.hh"

namespace nlb::vmswitch {
namespace {

class EnforcementTest : public GuardedBridge {};

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

// Programs at tcx wait for the kernel, one after the other; no port may be open meanwhile, nor closed.
TEST_F(EnforcementTest, AtTheFirstStartNoPortWaitsForTheOthers) {
  if (!PortHooks::kernel_has_tcx()) GTEST_SKIP() << "this kernel has no tcx";
  sh("for i in 3 4 5 6 7 8 9; do ip link add tap$i type veth peer name guest$i; ip link set guest$i up;"
     "ip link set tap$i up; ip link set tap$i master br0; done");
  nlb::testing::wait_for_carrier("guest9");
  configure(std::string(kConfig) + "[[port]]\nvm = \"last\"\ninterface = \"tap9\"\nmac = \"" +
            kNobody.text() + "\"\n");
  const auto last = std::move(*FrameSocket::open("guest9", kEtherType, std::nullopt));
  guard_ = std::move(*Enforcement::start({}, config_));
  ASSERT_TRUE(passes(*last, kOther, kBroadcast, *wire_)) << "nobody guards yet";
  const auto guarded_at_tcx = [](const char* name) {
    uint32_t ids[8], count = 8, flags = 0;
    return bpf_prog_query(static_cast<int>(if_nametoindex(name)), static_cast<bpf_attach_type>(46), 0, &flags,
                          ids, &count) == 0 &&
           count != 0;
  };
  std::atomic<bool> done = false;
  std::thread looking([&] {
    look();
    done = true;
  });
  int tries = 0;
  while (!done) {
    if (guarded_at_tcx("tap9") || !guarded_at_tcx("tap1")) continue;
    EXPECT_FALSE(passes(*last, kOther, kBroadcast, *wire_)) << "forged";
    EXPECT_TRUE(passes(*last, kNobody, kBroadcast, *wire_)) << "its own";
    ++tries;
  }
  looking.join();
  EXPECT_GT(tries, 0);
  EXPECT_TRUE(port("tap9").ready);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(look().empty());
  EXPECT_EQ(port("tap9").hooks.kind, HookKind::tcx);
  EXPECT_EQ(sh("for i in tap1 tap9 eno1; do tc qdisc show dev $i clsact; done"), "") << "no filters any more";
  expect_guarded();
}

TEST_F(EnforcementTest, WhatADaemonLeftThatDiedWhileItMovedProgramsIsTidied) {
  if (!PortHooks::kernel_has_tcx()) GTEST_SKIP() << "this kernel has no tcx";
  start(false);
  start();
  const auto filters = [] { return sh("tc filter show dev tap1 ingress; tc filter show dev tap1 egress"); };
  const uint32_t tap1 = if_nametoindex("tap1");
  const FileDescriptor receive(bpf_prog_get_fd_by_id(PortHooks(tap1, "tap1", true).guard_programs().at(1)));
  ASSERT_EQ(bpf_prog_detach2(receive.get(), static_cast<int>(tap1), static_cast<bpf_attach_type>(47)), 0);
  ASSERT_EQ(add_clsact(static_cast<int>(tap1)), 0);
  ASSERT_EQ(set_tc_program(static_cast<int>(tap1), TcDirection::egress, receive.get()), 0);
  start();  // one was at tcx, one a filter
  EXPECT_EQ(filters(), "");
  ASSERT_EQ(add_clsact(static_cast<int>(tap1)), 0);
  ASSERT_EQ(set_tc_program(static_cast<int>(tap1), TcDirection::egress, receive.get()), 0);
  start();  // both at tcx, one a filter, too
  EXPECT_EQ(filters(), "");
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

// One table for all VLANs: from a virtual MAC with any tag the bridge would learn it at the stranger's port.
TEST_F(EnforcementTest, AVirtualMacIsTakenByNoTagWhereTheBridgeFiltersNone) {
  const auto virtual_mac = *MacAddress::parse("00:00:5e:00:01:33");
  std::string text = kConfig;
  text.insert(text.find("[[port]]"),
              "[[cluster]]\nname = \"gate\"\ntype = \"vrrp\"\nvrid = 51\n"
              "vips = [\"10.77.0.200\"]\nvlan = 7\n");
  text += "mac_spoofing = \"on\"\nmax_macs = 9\n";
  configure(text);
  start();
  const auto tagged = std::move(*FrameSocket::open("guest2", 0x8100, std::nullopt));
  const auto arrives = [&](const MacAddress& source, uint8_t number) {
    const std::array<uint8_t, 8> rest{0, 5, kEtherType >> 8, kEtherType & 0xff, 7, 7, 7, number};
    EXPECT_TRUE(tagged->send(source, kBroadcast, rest));
    for (int turn = 0; turn < 20; ++turn, usleep(1000))
      while (const auto frame = wire_->receive())  // the kernel has taken the tag off
        if (frame->payload.size() >= 4 && frame->payload[2] == 7 && frame->payload[3] == number) return true;
    return false;
  };
  EXPECT_TRUE(arrives(kOther, 1)) << "any other MAC, by a port that may";
  EXPECT_FALSE(arrives(virtual_mac, 2));
  EXPECT_FALSE(passes(*two_, virtual_mac, kBroadcast, *wire_)) << "without a tag";
  EXPECT_EQ(sh("bridge fdb show br br0 | grep -c 00:00:5e:00:01:33 || true"), "0\n");
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

// As many ports as the one before has.
void another_bridge() {
  sh("ip link add br7 type bridge && ip link set br7 up");
  for (const char* name : {"seven", "eight", "nine"})
    sh(
        fmt::format("ip link add {0} type veth peer name to-{0}; ip link set to-{0} up;"
                    "ip link set {0} up; ip link set {0} master br7",
                    name));
  for (const char* name : {"to-seven", "to-eight", "to-nine"}) nlb::testing::wait_for_carrier(name);
}

TEST_F(EnforcementTest, ABridgeIsReleasedAlsoWhenAnotherOneTakesItsPlace) {
  start();
  another_bridge();
  look();
  configure("[[switch]]\nbridge = \"br7\"\n");
  look();
  EXPECT_TRUE(passes(*one_, kOther, kBroadcast, *two_));
}

TEST_F(EnforcementTest, WhatAConfigurationThatFailsBeganIsTakenBack) {
  another_bridge();
  start();
  const auto good = config_;
  config_.switches.resize(3, config_.switches.front());
  config_.switches[1].bridge = "br7";
  config_.switches[2].bridge = "br*";  // which nftables cannot name
  EXPECT_FALSE(guard_->look_again(config_, numbers_));
  config_ = good;
  look();
  const auto seven = std::move(*FrameSocket::open("to-seven", kEtherType, std::nullopt));
  const auto eight = std::move(*FrameSocket::open("to-eight", kEtherType, std::nullopt));
  EXPECT_TRUE(passes(*seven, kOther, kBroadcast, *eight));
  EXPECT_EQ(sh("nft list tables | grep -c nlb_switch_br7 || true"), "0\n");
  expect_guarded();
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

TEST_F(EnforcementTest, ABridgeThatSnoopsSendsAClustersGroupToItsMembers) {
  const auto told = [](const char* port) {
    const auto shown = sh(std::string("bridge -d link show dev ") + port);
    const auto at = shown.find("mcast_router ");
    return at == std::string::npos ? '-' : shown.at(at + std::string("mcast_router ").size());
  };
  ASSERT_EQ(told("tap1"), '1');
  std::string text = kConfig;
  text.insert(text.find("hosts = [1, 2]"), "mode = \"multicast\"\n");
  const auto without = text;
  configure(text.insert(text.find("cluster = \"web\""), "mac_spoofing = \"cluster\"\n"));
  start();
  EXPECT_EQ(told("tap1"), '2');
  EXPECT_EQ(told("tap2"), '1') << "no member";
  EXPECT_EQ(told("eno1"), '1') << "the uplink finds out by itself";
  sh("bridge link set dev tap1 mcast_router 1");
  look();
  EXPECT_EQ(told("tap1"), '2') << "somebody took it back";
  configure(without);
  look();
  EXPECT_EQ(told("tap1"), '1') << "a member no more";
  configure(text);
  look();
  EXPECT_EQ(told("tap1"), '2');
  ASSERT_TRUE(guard_->release(config_));
  EXPECT_EQ(told("tap1"), '1');
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

// Of links and tc, of nftables: by how many of the two.
int changes_told_of(const std::function<void()>& work) {
  const auto monitor = std::move(*BridgeMonitor::open());
  work();
  std::array<pollfd, 2> told{pollfd{monitor->link_fd(), POLLIN, 0}, pollfd{monitor->rule_fd(), POLLIN, 0}};
  return poll(told.data(), told.size(), 50);
}

// The daemon looks when the kernel tells of a change: a look that makes one would be followed by the next.
TEST_F(EnforcementTest, ALookThatFindsAllInPlaceChangesNothing) {
  const std::string enforced = kConfig;
  std::string audited = enforced;
  audited.insert(audited.find("uplinks"), "policy = \"audit\"\n");
  for (const auto& text : {enforced, audited})
    for (const bool may_use_tcx : {true, false}) {
      configure(text);
      start(may_use_tcx);
      look();
      EXPECT_EQ(changes_told_of([&] { look(); }), 0) << text << may_use_tcx;
    }
}

// A place for the receive program is missing, so the port stays closed, and is looked at with every look.
TEST_F(EnforcementTest, ALookAtAPortWithAnObstacleChangesNothing) {
  sh("tc qdisc add dev tap1 ingress");
  start(false);
  look();
  ASSERT_FALSE(port("tap1").ready);
  EXPECT_EQ(changes_told_of([&] { look(); }), 0);
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

}  // namespace
}  // namespace nlb::vmswitch
