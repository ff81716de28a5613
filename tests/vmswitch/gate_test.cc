// SPDX-License-Identifier: Apache-2.0
// The gate by live frames, with no program anywhere; what a transmit program would mark is marked by nftables
// at the port. Guests are the far ends of veth pairs:
//
//     guest1 ── port1 ┐
//                     br0 (with the host's own 10.77.0.1)
//     guest2 ── port2 ┘
#include "vmswitch/gate.hh"

#include <gtest/gtest.h>
#include <net/if.h>
#include <nlb/abi/guard.h>
#include <sched.h>
#include <unistd.h>

#include "linux/frame_socket.hh"
#include "shell.hh"

namespace nlb::vmswitch {
namespace {

using nlb::testing::kBroadcast;
using nlb::testing::sh;

constexpr uint16_t kEtherType = 0x88b5;
const MacAddress kGuest1 = *MacAddress::parse("52:54:00:00:00:01");
const MacAddress kGuest2 = *MacAddress::parse("52:54:00:00:00:02");

uint32_t index_of(const char* interface) {
  return if_nametoindex(interface);
}

class GateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root for a network namespace";
    sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1\n"
       "ip link add br0 type bridge\n"
       "ip link set br0 up\n"
       "for n in 1 2; do\n"
       "  ip link add port$n type veth peer name guest$n address 52:54:00:00:00:0$n\n"
       "  ip link set guest$n up\n"
       "  ip link set port$n up\n"
       "  ip link set port$n master br0\n"
       "done");
    nlb::testing::wait_for_carrier("guest1");
    nlb::testing::wait_for_carrier("br0");
    plan_.bridge = "br0";
    one_ = std::move(*FrameSocket::open("guest1", kEtherType, std::nullopt));
    two_ = std::move(*FrameSocket::open("guest2", kEtherType, std::nullopt));
    host_ = std::move(*FrameSocket::open("br0", kEtherType, std::nullopt));
  }
  // As the transmit program does on what it lets through.
  static void mark_frames_of(const std::string& port) {
    sh("nft 'add table netdev " + port + "; add chain netdev " + port +
       " in { type filter hook ingress device " + port + " priority 0; }; add rule netdev " + port +
       " in meta mark set 0x20000001'");
  }
  void ready(std::set<uint32_t> ports) {
    plan_.ready = std::move(ports);
    const auto set = fill_gate(plan_);
    ASSERT_TRUE(set) << set.error().message;
  }
  void install() {
    const auto installed = install_gate(plan_);
    ASSERT_TRUE(installed) << installed.error().message;
  }
  bool passes(FrameSocket& from, const MacAddress& source, FrameSocket& to) {
    const std::vector<uint8_t> payload = {1, 2, 3, static_cast<uint8_t>(++count_)};
    EXPECT_TRUE(from.send(source, kBroadcast, payload));
    bool arrived = false;
    // On a busy or slow kernel ksoftirqd delivers it, some time after send() has returned.
    for (int turn = 0; turn < 20 && !arrived; ++turn) {
      if (turn != 0) usleep(1000);
      while (auto frame = to.receive()) arrived = arrived || frame->payload == payload;
    }
    return arrived;
  }
  GatePlan plan_;
  int count_ = 0;
  std::unique_ptr<FrameSocket> one_, two_, host_;
};

TEST_F(GateTest, WithoutItFramesPass) {
  EXPECT_TRUE(passes(*one_, kGuest1, *two_));
  EXPECT_TRUE(passes(*one_, kGuest1, *host_));
}

TEST_F(GateTest, ANewPortPassesNothingEitherWayAndTeachesTheBridgeNothing) {
  install();
  EXPECT_FALSE(passes(*one_, kGuest1, *two_));
  EXPECT_FALSE(passes(*one_, kGuest1, *host_));
  EXPECT_FALSE(passes(*host_, nlb::testing::kWireMac, *one_));
  EXPECT_EQ(sh("bridge fdb show br br0 | grep -c '52:54:00:00:00:01.*master br0' || true"), "0\n");
}

TEST_F(GateTest, NeedsTheMarkOnTheWayInAndAReadyPortOnTheWayOut) {
  install();
  mark_frames_of("port1");
  EXPECT_TRUE(passes(*one_, kGuest1, *host_));  // marked; the host is behind no port
  EXPECT_FALSE(passes(*one_, kGuest1, *two_));  // port2 is not ready
  ready({index_of("port2")});
  EXPECT_TRUE(passes(*one_, kGuest1, *two_));
  EXPECT_FALSE(passes(*two_, kGuest2, *host_));  // not marked
  EXPECT_TRUE(passes(*host_, nlb::testing::kWireMac, *two_));
  ready({});
  EXPECT_FALSE(passes(*one_, kGuest1, *two_));
}

// The bit means something to the gate alone; others of the mark are left as they are.
TEST_F(GateTest, TakesItsMarkOffAgain) {
  install();
  mark_frames_of("port1");
  sh("nft 'add table bridge see; add chain bridge see in { type filter hook input priority 0; };"
     "add rule bridge see in meta mark 0x1 counter; add rule bridge see in meta mark != 0x1 counter'");
  EXPECT_TRUE(passes(*one_, kGuest1, *host_));
  const auto counters = sh("nft list table bridge see");
  EXPECT_NE(counters.find("meta mark 0x00000001 counter packets 1"), std::string::npos) << counters;
  EXPECT_NE(counters.find("meta mark != 0x00000001 counter packets 0"), std::string::npos) << counters;
}

TEST_F(GateTest, LeavesOtherBridgesAlone) {
  sh("ip link add br1 type bridge; ip link set br1 up; ip link set port1 master br1; ip link set port2 "
     "master br1");
  plan_.elsewhere = {index_of("port1"), index_of("port2")};
  install();
  EXPECT_TRUE(passes(*one_, kGuest1, *two_));
}

TEST_F(GateTest, ASecondPortOfTheSameNameIsNotReady) {
  install();
  mark_frames_of("port1");
  ready({index_of("port2")});
  sh("ip link del port2; ip link add port2 type veth peer name guest2; ip link set guest2 up;"
     "ip link set port2 up; ip link set port2 master br0");
  nlb::testing::wait_for_carrier("guest2");
  two_ = std::move(*FrameSocket::open("guest2", kEtherType, std::nullopt));
  EXPECT_FALSE(passes(*one_, kGuest1, *two_));
}

TEST_F(GateTest, IsReadBack) {
  EXPECT_FALSE(*gate_in_force(plan_));
  plan_.ready = {index_of("port1"), index_of("port2"), 4242};
  install();
  EXPECT_TRUE(*gate_in_force(plan_));
  EXPECT_EQ(*gate_ready("br0"), plan_.ready);
  GatePlan other = plan_;
  other.ready.erase(4242);
  EXPECT_FALSE(*gate_in_force(other));
  for (const char* damage :
       {"nft delete table bridge nlb_switch_br0", "nft flush chain bridge nlb_switch_br0 from_ports",
        "nft insert rule bridge nlb_switch_br0 to_ports accept",
        "nft add table bridge nlb_switch_br0 '{ flags dormant; }'", "nft flush ruleset"}) {
    sh(damage);
    EXPECT_FALSE(*gate_in_force(plan_)) << damage;
    EXPECT_TRUE(gate_ready("br0")->empty()) << damage;
    install();
    EXPECT_TRUE(*gate_in_force(plan_)) << damage;
  }
  ASSERT_TRUE(remove_gate("br0"));
  ASSERT_TRUE(remove_gate("br0"));  // what is not there need not be removed
  EXPECT_FALSE(*gate_in_force(plan_));
  EXPECT_EQ(sh("nft list tables"), "");
}

TEST_F(GateTest, BridgesMayHaveOddNames) {
  sh("ip link set br0 down; ip link set br0 name '0br.-x@y'; ip link set '0br.-x@y' up");
  plan_.bridge = "0br.-x@y";
  install();
  EXPECT_TRUE(*gate_in_force(plan_));
  EXPECT_FALSE(passes(*one_, kGuest1, *two_));
  plan_.bridge = "a\"b";
  EXPECT_FALSE(install_gate(plan_));
}

}  // namespace
}  // namespace nlb::vmswitch
