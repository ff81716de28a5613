// SPDX-License-Identifier: Apache-2.0
// Changes made by others are seen: addresses, MAC, carrier, the interface itself.
#include <net/if.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>

#include "linux/neighbour.hh"
#include "shell.hh"

namespace nlb::testing {
namespace {

class LinkMonitorTest : public NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    auto opened = LinkMonitor::open("veth0");
    ASSERT_TRUE(opened) << opened.error().message;
    monitor_ = std::move(*opened);
    // What the set-up itself caused (carrier, IPv6 addresses) may still trickle in.
    while (readable(300)) (void)monitor_->read();
  }
  bool readable(int timeout_ms) const {
    pollfd wait{monitor_->fd(), POLLIN, 0};
    return poll(&wait, 1, timeout_ms) == 1;
  }
  bool sees(LinkChange::Kind kind, const IpAddress& address = {}) {
    while (readable(1000))
      for (const auto& change : monitor_->read())
        if (change.kind == kind && change.address == address) return true;
    return false;
  }
  std::unique_ptr<LinkMonitor> monitor_;
};

using Kind = LinkChange::Kind;

TEST_F(LinkMonitorTest, OnlyNeighboursWithoutAnAnswerAreForgotten) {
  sh("ip neigh add 10.77.0.201 lladdr 52:54:00:00:00:99 nud reachable dev veth0");
  succeeds("ping -c 1 -W 0.1 10.77.0.202");  // nobody has it
  ASSERT_NE(sh("ip neigh show dev veth0").find("10.77.0.202"), std::string::npos);
  EXPECT_EQ(forget_unresolved_neighbours("veth0"), 1);
  EXPECT_EQ(sh("ip neigh show dev veth0 nud all").find("10.77.0.202"), std::string::npos);
  EXPECT_NE(sh("ip neigh show dev veth0").find("10.77.0.201"), std::string::npos);
  EXPECT_EQ(forget_unresolved_neighbours("veth0"), 0);
}

TEST_F(LinkMonitorTest, QuietWhenNothingHappens) {
  EXPECT_FALSE(readable(0));
  EXPECT_TRUE(monitor_->read().empty());
}

TEST_F(LinkMonitorTest, SeesAnInterfaceAsLongAsItHasItsName) {
  const auto index = static_cast<int>(if_nametoindex("veth0"));
  EXPECT_TRUE(monitor_->sees(index));
  sh("ip link set veth0 name veth9");
  EXPECT_FALSE(monitor_->sees(index));
  sh("ip link add veth0 type bridge");
  EXPECT_FALSE(monitor_->sees(index)) << "another one";
  sh("ip link del veth0; ip link set veth9 name veth0");
  EXPECT_TRUE(monitor_->sees(index));
}

TEST_F(LinkMonitorTest, SeesTheInterfaceWhenNoDescriptorIsLeft) {
  const auto index = static_cast<int>(if_nametoindex("veth0"));
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
  const rlimit none{0, usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool by_name = if_nametoindex("veth0") != 0, seen = monitor_->sees(index);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
  EXPECT_FALSE(by_name) << "then this shows nothing";
  EXPECT_TRUE(seen);
}

TEST_F(LinkMonitorTest, VipAddedAndRemovedByHand) {
  sh("ip addr add 10.77.0.100/32 dev veth0");
  EXPECT_TRUE(sees(Kind::address_added, kVip));
  sh("ip addr del 10.77.0.100/32 dev veth0");
  EXPECT_TRUE(sees(Kind::address_removed, kVip));
}

TEST_F(LinkMonitorTest, MacChangedByHand) {
  sh("ip link set veth0 address 52:54:00:00:00:77");
  EXPECT_TRUE(sees(Kind::link));
}

TEST_F(LinkMonitorTest, CarrierLost) {
  sh("ip link set veth1 down");
  EXPECT_TRUE(sees(Kind::link));
}

TEST_F(LinkMonitorTest, OtherInterfacesAreNotOurs) {
  sh("ip link add veth2 type veth peer name veth3; ip addr add 10.80.0.2/24 dev veth2; ip link set veth2 up");
  EXPECT_FALSE(readable(300) && !monitor_->read().empty());
}

TEST_F(LinkMonitorTest, TakenAwayAndMadeAnew) {
  sh("ip link del veth0");
  EXPECT_TRUE(sees(Kind::link));
  sh("ip link add veth0 type veth peer name veth1");
  EXPECT_TRUE(sees(Kind::link));
  sh("ip addr add 10.77.0.100/32 dev veth0");
  EXPECT_TRUE(sees(Kind::address_added, kVip));
}

TEST_F(LinkMonitorTest, LostMessagesMeanReadAgain) {
  // More than the socket's buffer holds.
  sh("for i in $(seq 1 1500); do echo addr add 10.77.0.100/32 dev veth0; echo addr del 10.77.0.100/32 dev "
     "veth0; done"
     " | ip -batch -");
  EXPECT_TRUE(sees(Kind::link));
}

}  // namespace
}  // namespace nlb::testing
