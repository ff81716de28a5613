// SPDX-License-Identifier: Apache-2.0
// all-or-nothing: after unbind, and after a bind that failed at any step, the adapter is as it was found.
// said-is-so: a bind that succeeded is in force.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "linux/frame_socket.hh"
#include "shell.hh"

namespace nlb::testing {
namespace {

class BindTest : public NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    char pattern[] = "/tmp/nlb-bind-XXXXXX";
    directory_ = mkdtemp(pattern);
    // Values that differ from what is wanted, so that putting them back shows.
    sh("sysctl -qw net.ipv4.conf.veth0.arp_notify=1 net.ipv4.conf.veth0.drop_unicast_in_l2_multicast=1");
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }
  BindPlan plan(MacStrategy strategy) const {
    BindPlan plan = plan_for(strategy);
    plan.state_directory = directory_ + "/state";
    return plan;
  }
  BindPlan multicast_plan() const {
    BindPlan multicast = plan(MacStrategy::add);
    multicast.mode = ClusterMode::multicast;
    multicast.cluster_mac = *MacAddress::parse("03:bf:0a:4d:00:64");
    return multicast;
  }
  // The kernel refuses IPv6 addresses then. The refusal itself makes it join ff02::1 again: it is had
  // beforehand.
  static void disable_ipv6() {
    sh("sysctl -qw net.ipv6.conf.veth0.disable_ipv6=1; ip addr add fd00::1/128 dev veth0 2>/dev/null || "
       "true");
  }
  std::string state_file() const { return directory_ + "/state/adapter-veth0.state"; }
  // A bind that must fail with `words` and leave nothing behind.
  void expect_rolled_back(const BindPlan& failing, const std::string& words, int code) {
    const std::string before = everything();
    auto bound = bind(failing);
    ASSERT_FALSE(bound);
    EXPECT_NE(bound.error().message.find(words), std::string::npos) << bound.error().message;
    EXPECT_EQ(bound.error().message.find("cannot be undone"), std::string::npos) << bound.error().message;
    EXPECT_EQ(bound.error().code, code) << bound.error().message;
    EXPECT_EQ(everything(), before);
    EXPECT_FALSE(std::filesystem::exists(state_file()));
  }
  std::string directory_;
};

#define ASSERT_DONE(expression)                        \
  do {                                                 \
    auto outcome_ = (expression);                      \
    ASSERT_TRUE(outcome_) << outcome_.error().message; \
  } while (false)

TEST_F(BindTest, AddAndBack) {
  const std::string before = everything();
  ASSERT_DONE(bind(plan(MacStrategy::add)));
  auto facts = *read_adapter("veth0");
  EXPECT_EQ(facts.mac_current, kOwnMac);
  EXPECT_EQ(facts.extra_macs, std::vector{kClusterMac});
  EXPECT_EQ(sh("ip -o -4 addr show dev veth0 | grep -c 10.77.0.100/32"), "1\n");
  EXPECT_EQ(sh("cat /proc/sys/net/ipv4/conf/veth0/arp_announce /proc/sys/net/ipv4/conf/veth0/arp_notify"),
            "2\n0\n");
  ASSERT_DONE(verify_bound(plan(MacStrategy::add)));
  ASSERT_DONE(unbind(plan(MacStrategy::add)));
  EXPECT_EQ(everything(), before);
  EXPECT_FALSE(std::filesystem::exists(state_file()));
}

TEST_F(BindTest, ReplaceAndBack) {
  const std::string before = everything();
  ASSERT_DONE(bind(plan(MacStrategy::replace)));
  auto facts = *read_adapter("veth0");
  EXPECT_EQ(facts.mac_current, kClusterMac);
  EXPECT_EQ(facts.extra_macs, (std::vector{kMaskedMac, kOwnMac}));
  EXPECT_EQ(remembered_mac(plan(MacStrategy::replace).state_directory, "veth0"), kOwnMac);
  ASSERT_DONE(unbind(plan(MacStrategy::replace)));
  EXPECT_EQ(everything(), before);
}

TEST_F(BindTest, AnIpv6VipIsNeverASource) {
  sh("ip addr add fd77::11/64 dev veth0 nodad");
  const std::string before = everything();
  BindPlan both = plan(MacStrategy::add);
  const IpAddress vip6 = *IpAddress::parse("fd77::100");
  both.vips.push_back(vip6);
  for (int i = 0; i < 2; ++i) ASSERT_DONE(bind(both));
  const std::string shown = sh("ip -6 -o addr show dev veth0 to fd77::100");
  EXPECT_NE(shown.find("fd77::100/128"), std::string::npos) << shown;
  EXPECT_NE(shown.find("deprecated"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("tentative"), std::string::npos) << shown;
  EXPECT_NE(sh("ip -6 route get fd77::101").find("src fd77::11"), std::string::npos)
      << "the longer match of fd77::100 must not win";
  EXPECT_NE(sh("ip maddr show dev veth0").find("ff02::1:ff00:100"), std::string::npos)
      << "the kernel joins the solicited-node group, and leaves it with the address alone";
  sh("ip addr del fd77::100/128 dev veth0");
  EXPECT_NE(verify_bound(both).error().message.find("VIP fd77::100 is not on"), std::string::npos);
  ASSERT_DONE(bind(both));
  ASSERT_DONE(unbind(both));
  EXPECT_EQ(everything(), before);
}

TEST_F(BindTest, AnIpv6VipStaysWhenTheLinkGoesDown) {
  sh("ip addr add fd77::11/64 dev veth0 nodad");
  BindPlan both = plan(MacStrategy::add);
  both.vips.push_back(*IpAddress::parse("fd77::100"));
  ASSERT_DONE(bind(both));
  sh("ip link set veth0 down; ip link set veth0 up");
  EXPECT_NE(sh("ip -6 -o addr show dev veth0").find("fd77::100/128"), std::string::npos);
  ASSERT_DONE(verify_bound(both));
}

TEST_F(BindTest, WithoutIpv6OnTheAdapterTheWholeBindIsUndone) {
  disable_ipv6();
  BindPlan both = plan(MacStrategy::add);
  both.vips.push_back(*IpAddress::parse("fd77::100"));
  expect_rolled_back(both, "adding VIP fd77::100", EACCES);
}

TEST_F(BindTest, MulticastGroupOutlivesEverySocket) {
  const std::string before = everything();
  const BindPlan multicast = multicast_plan();
  {
    // The heartbeat socket joins the same group first, and goes: the adapter must stay in it.
    auto socket = FrameSocket::open("veth0", 0x88b5, multicast.cluster_mac);
    ASSERT_TRUE(socket);
    ASSERT_DONE(bind(multicast));
  }
  EXPECT_NE(sh("ip maddr show dev veth0").find("03:bf:0a:4d:00:64"), std::string::npos);
  ASSERT_DONE(verify_bound(multicast));
  ASSERT_DONE(unbind(multicast));
  EXPECT_EQ(everything(), before);
}

TEST_F(BindTest, IgmpGroupIsJoinedByTheKernel) {
  const std::string before = everything();
  BindPlan igmp = plan(MacStrategy::add);
  igmp.mode = ClusterMode::igmp;
  igmp.cluster_mac = *MacAddress::parse("01:00:5e:7f:00:64");
  for (int i = 0; i < 2; ++i) ASSERT_DONE(bind(igmp));
  EXPECT_NE(sh("ip maddr show dev veth0").find("inet  239.255.0.100"), std::string::npos);
  EXPECT_EQ(read_adapter("veth0")->groups, std::vector{*IpAddress::parse("239.255.0.100")});
  sh("ip addr del 239.255.0.100/32 dev veth0");
  EXPECT_NE(verify_bound(igmp).error().message.find("239.255.0.100 is not joined"), std::string::npos);
  ASSERT_DONE(bind(igmp));
  ASSERT_DONE(unbind(igmp));
  EXPECT_EQ(everything(), before);
}

TEST_F(BindTest, TwiceIsOnce) {
  for (auto strategy : {MacStrategy::add, MacStrategy::replace}) {
    const std::string before = everything();
    ASSERT_DONE(bind(plan(strategy)));
    const std::string bound = everything();
    // A later daemon does not know the adapter's own MAC: it sees the cluster's.
    BindPlan later = plan(strategy);
    later.own_mac = read_adapter("veth0")->mac_current;
    ASSERT_DONE(bind(later));
    EXPECT_EQ(everything(), bound);
    ASSERT_DONE(unbind(later));
    EXPECT_EQ(everything(), before);
    ASSERT_DONE(unbind(later));
    EXPECT_EQ(everything(), before);
  }
}

TEST_F(BindTest, FromReplaceToAdd) {
  const std::string before = everything();
  ASSERT_DONE(bind(plan(MacStrategy::replace)));
  ASSERT_DONE(bind(plan(MacStrategy::add)));
  EXPECT_EQ(read_adapter("veth0")->mac_current, kOwnMac);
  ASSERT_DONE(unbind(plan(MacStrategy::add)));
  EXPECT_EQ(everything(), before);
}

TEST_F(BindTest, WithoutMemoryTheMacStillComesBack) {
  BindPlan forgetful = plan(MacStrategy::replace);
  forgetful.state_directory.clear();
  ASSERT_DONE(bind(forgetful));
  ASSERT_DONE(unbind(forgetful));
  EXPECT_EQ(read_adapter("veth0")->mac_current, kOwnMac);
}

TEST_F(BindTest, StaleMemoryDoesNotCount) {  // rebooted: the adapter is its own again, with another MAC
  ASSERT_DONE(bind(plan(MacStrategy::replace)));
  sh("ip link del veth0; ip link add veth0 address 52:54:00:00:00:02 type veth peer name veth1;"
     "ip addr add 10.77.0.11/24 dev veth0; ip link set veth1 up; ip link set veth0 up;"
     "sysctl -qw net.ipv4.conf.veth0.arp_announce=1");
  wait_for_link_local("veth0");
  wait_for_link_local("veth1");
  EXPECT_EQ(remembered_mac(plan(MacStrategy::replace).state_directory, "veth0"), std::nullopt);
  const std::string before = everything();
  BindPlan now = plan(MacStrategy::replace);
  now.own_mac = *MacAddress::parse("52:54:00:00:00:02");
  ASSERT_DONE(unbind(now));
  EXPECT_EQ(everything(), before);
  ASSERT_DONE(bind(now));
  ASSERT_DONE(unbind(now));
  EXPECT_EQ(everything(), before);
}

TEST_F(BindTest, WhatOthersChangedMeanwhileIsTheirs) {
  ASSERT_DONE(bind(plan(MacStrategy::replace)));
  sh("ip link set veth0 address 52:54:00:00:00:77; sysctl -qw net.ipv4.conf.veth0.arp_announce=1");
  EXPECT_FALSE(verify_bound(plan(MacStrategy::replace)));
  ASSERT_DONE(unbind(plan(MacStrategy::replace)));
  EXPECT_EQ(read_adapter("veth0")->mac_current.text(), "52:54:00:00:00:77");
  EXPECT_EQ(sh("cat /proc/sys/net/ipv4/conf/veth0/arp_announce"), "1\n");
}

TEST_F(BindTest, VerifyNamesWhatIsGone) {
  ASSERT_DONE(bind(plan(MacStrategy::add)));
  sh("bridge fdb del " + kClusterMac.text() + " dev veth0 self");
  EXPECT_NE(verify_bound(plan(MacStrategy::add)).error().message.find("cluster MAC"), std::string::npos);
  ASSERT_DONE(bind(plan(MacStrategy::add)));
  sh("ip addr del 10.77.0.100/32 dev veth0");
  EXPECT_NE(verify_bound(plan(MacStrategy::add)).error().message.find("VIP 10.77.0.100"), std::string::npos);
}

TEST_F(BindTest, MemoryIsPrivate) {
  ASSERT_DONE(bind(plan(MacStrategy::add)));
  struct stat status {};
  ASSERT_EQ(stat(state_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(BindTest, MemoryCannotBeMadeToWriteOtherSysctls) {
  ASSERT_DONE(bind(plan(MacStrategy::add)));
  std::ofstream(state_file(), std::ios::app) << "sysctl net/ipv4/ip_forward=1\n"
                                             << "sysctl net/ipv4/conf/veth0/../../ip_forward=1\n";
  ASSERT_DONE(unbind(plan(MacStrategy::add)));
  EXPECT_EQ(sh("cat /proc/sys/net/ipv4/ip_forward"), "0\n");
}

TEST_F(BindTest, SysctlsReadOnly) {  // as in an unprivileged container
  ASSERT_EQ(unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  ASSERT_EQ(mount("/proc/sys", "/proc/sys", nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(mount(nullptr, "/proc/sys", nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
  expect_rolled_back(plan(MacStrategy::add), "arp_announce cannot be set to 2: Read-only file system", EROFS);
  umount2("/proc/sys", MNT_DETACH);
}

TEST_F(BindTest, WhatIsNotReadBackIsAFailure) {  // the kernel says yes to a zero MAC, which filters nothing
  BindPlan failing = plan(MacStrategy::add);
  failing.cluster_mac = {};
  expect_rolled_back(failing, "reading back what was set: the cluster MAC", 0);
  failing = plan(MacStrategy::replace);
  failing.masked_mac = {};
  expect_rolled_back(failing, "reading back what was set: the masked MAC", 0);
}

TEST_F(BindTest, MacChangeRefused) {
  BindPlan failing = plan(MacStrategy::replace);
  failing.cluster_mac = *MacAddress::parse("03:bf:0a:4d:00:64");  // a group MAC cannot be an adapter's
  expect_rolled_back(failing, "changing the adapter's MAC to 03:bf", EADDRNOTAVAIL);
}

TEST_F(BindTest, MacChangeRefusedByDriver) {  // ifb filters, but has no way to change its MAC
  sh("ip link del veth0");
  if (!succeeds("ip link add veth0 type ifb")) GTEST_SKIP() << "no ifb in this kernel";
  sh("ip link set veth0 up; ip addr add 10.77.0.11/24 dev veth0");
  wait_for_link_local("veth0");
  expect_rolled_back(plan(MacStrategy::replace), "changing the adapter's MAC to 02:bf:0a:4d:00:64",
                     EOPNOTSUPP);
}

TEST_F(BindTest, VipRefused) {  // the last step: everything else has been done by then
  for (auto strategy : {MacStrategy::add, MacStrategy::replace}) {
    BindPlan failing = plan(strategy);
    disable_ipv6();
    failing.vips.push_back(*IpAddress::parse("fd00::100"));
    expect_rolled_back(failing, "adding VIP fd00::100", EACCES);
  }
  BindPlan failing = multicast_plan();
  failing.vips.push_back(*IpAddress::parse("fd00::100"));
  expect_rolled_back(failing, "adding VIP fd00::100", EACCES);
}

TEST_F(BindTest, FailureKeepsWhatAnEarlierDaemonLeft) {
  ASSERT_DONE(bind(plan(MacStrategy::replace)));
  disable_ipv6();
  const std::string before = everything();
  BindPlan failing = plan(MacStrategy::replace);
  failing.vips.push_back(*IpAddress::parse("fd00::100"));
  ASSERT_FALSE(bind(failing));
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(remembered_mac(failing.state_directory, "veth0"), kOwnMac);
}

TEST_F(BindTest,
       DriverRefusal) {  // no fake: the macvlan's parent already carries the MAC, and it has no filter
  sh("ip link set veth0 down; ip link set veth0 name parent; ip link set parent address " +
     kClusterMac.text() + "; ip link set parent up; ip link add veth0 link parent address " + kOwnMac.text() +
     " type macvlan mode bridge; ip link set veth0 up");
  wait_for_link_local("parent");
  wait_for_link_local("veth0");
  expect_rolled_back(plan(MacStrategy::add), "adding the cluster MAC", EOPNOTSUPP);
  expect_rolled_back(plan(MacStrategy::replace), "adding the masked MAC", EOPNOTSUPP);
}

TEST_F(BindTest, UnbindOfAVanishedAdapterForgets) {
  ASSERT_DONE(bind(plan(MacStrategy::add)));
  sh("ip link del veth0");
  ASSERT_DONE(unbind(plan(MacStrategy::add)));
  EXPECT_FALSE(std::filesystem::exists(state_file()));
}

// The neighbours learn where the dedicated address lives: at the masked MAC while replaced, at its own after.
TEST_F(BindTest, DedicatedAddressIsAnnounced) {
  auto wire = *FrameSocket::open("veth1", 0x0806, std::nullopt);
  const auto announced = [&] {
    std::string text;
    while (auto frame = wire->receive())
      if (frame->destination == kBroadcast) {
        MacAddress payload_mac;
        std::copy_n(frame->payload.begin() + 8, 6, payload_mac.octets.begin());
        IpAddress sender = IpAddress::v4(0);
        std::copy_n(frame->payload.begin() + 14, 4, sender.octets.begin() + 12);
        text += frame->source.text() + " says " + sender.text() + " is at " + payload_mac.text() + "\n";
      }
    return text;
  };
  ASSERT_DONE(bind(plan(MacStrategy::replace)));
  EXPECT_EQ(announced(), "02:01:0a:4d:00:64 says 10.77.0.11 is at 02:01:0a:4d:00:64\n");
  ASSERT_DONE(unbind(plan(MacStrategy::replace)));
  EXPECT_EQ(announced(), "52:54:00:00:00:01 says 10.77.0.11 is at 52:54:00:00:00:01\n");
}

}  // namespace
}  // namespace nlb::testing
