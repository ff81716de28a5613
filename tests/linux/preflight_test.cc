// SPDX-License-Identifier: Apache-2.0
// Every cause that speaks against an interface is found and named, and nothing else is.
#include "shell.hh"

namespace nlb::testing {
namespace {

class PreflightTest : public NetnsTest {
 protected:
  // The only objection, or all of them for the message of a failed test.
  static std::string objection(const std::string& interface = "veth0",
                               const std::string& vip = "10.77.0.100") {
    Config config;
    config.interface = interface;
    config.vips = {{*IpAddress::parse(vip), std::nullopt}};
    auto all = preflight(config);
    if (all.empty()) return "";
    if (all.size() == 1) return all[0];
    std::string text = "several:";
    for (const auto& one : all) text += "\n  " + one;
    return text;
  }
};

#define EXPECT_SAYS(text, words) EXPECT_NE(text.find(words), std::string::npos) << text

TEST_F(PreflightTest, NothingSpeaksAgainstAPlainAdapter) {
  EXPECT_EQ(objection(), "");
}

TEST_F(PreflightTest, Missing) {
  EXPECT_SAYS(objection("eth9"), "eth9: there is no such network interface");
}

TEST_F(PreflightTest, NoName) {
  EXPECT_SAYS(objection("a-name-far-too-long"), "no interface name");
}

TEST_F(PreflightTest, Down) {
  sh("ip link set veth0 down");
  EXPECT_SAYS(objection(), "veth0 is down");
}

TEST_F(PreflightTest, LoopbackIsNotEthernet) {
  EXPECT_SAYS(objection("lo"), "lo is not an Ethernet interface");
}

TEST_F(PreflightTest, TunIsNotEthernet) {
  if (!succeeds("ip tuntap add tun7 mode tun && ip link set tun7 up"))
    GTEST_SKIP() << "no tun in this kernel";
  EXPECT_SAYS(objection("tun7"), "tun7 is not an Ethernet interface");
}

TEST_F(PreflightTest, BridgePort) {
  sh("ip link add br7 type bridge && ip link set veth0 master br7");
  EXPECT_SAYS(objection(), "veth0 is a port of bridge br7");
}

TEST_F(PreflightTest, EnslavedToBond) {
  if (!succeeds("ip link add bond7 type bond")) GTEST_SKIP() << "no bonding in this kernel";
  sh("ip link set veth0 down && ip link set veth0 master bond7 && ip link set veth0 up;"
     "ip addr replace 10.77.0.11/24 dev veth0");
  EXPECT_SAYS(objection(), "veth0 is enslaved to bond bond7");
}

TEST_F(PreflightTest, EnslavedToVrf) {
  if (!succeeds("ip link add vrf7 type vrf table 7")) GTEST_SKIP() << "no VRF in this kernel";
  sh("ip link set veth0 master vrf7");
  EXPECT_SAYS(objection(), "veth0 is enslaved to vrf vrf7");
}

TEST_F(PreflightTest, LowerOfAMacvlanIsFine) {
  sh("ip link add mv7 link veth0 type macvlan mode bridge && ip link set mv7 up");
  EXPECT_EQ(objection(), "");
}

TEST_F(PreflightTest, SmallMtu) {
  sh("ip link set veth0 mtu 1499");
  EXPECT_SAYS(objection(), "MTU of 1499: at least 1500");
}

TEST_F(PreflightTest, VipOutsideEverySubnet) {
  EXPECT_SAYS(objection("veth0", "10.78.0.100"), "outside every subnet of veth0 (10.77.0.11/24");
}

TEST_F(PreflightTest, NoAddress) {
  sh("ip addr flush dev veth0");
  EXPECT_SAYS(objection(), "outside every subnet of veth0 (it has no address)");
}

TEST_F(PreflightTest, VipIsOwnAddress) {
  EXPECT_SAYS(objection("veth0", "10.77.0.11"), "VIP 10.77.0.11 is a dedicated address of veth0");
}

TEST_F(PreflightTest, VipAddedByHandWithItsPrefixIsADedicatedAddress) {
  sh("ip addr add 10.77.0.100/24 dev veth0");
  EXPECT_SAYS(objection(), "VIP 10.77.0.100 is a dedicated address of veth0");
}

TEST_F(PreflightTest, VipLeftByAnEarlierDaemonIsNone) {
  sh("ip addr add 10.77.0.100/32 dev veth0");
  EXPECT_EQ(objection(), "");
}

TEST_F(PreflightTest, VipIsGateway) {
  sh("ip route add default via 10.77.0.1");
  EXPECT_SAYS(objection("veth0", "10.77.0.1"), "address of the default gateway of veth0");
}

TEST_F(PreflightTest, VipIsNetworkAddress) {
  EXPECT_SAYS(objection("veth0", "10.77.0.0"), "VIP 10.77.0.0 is the network address");
}

TEST_F(PreflightTest, VipIsBroadcastAddress) {
  EXPECT_SAYS(objection("veth0", "10.77.0.255"), "VIP 10.77.0.255 is the broadcast address");
}

TEST_F(PreflightTest, ASubnetOfTwoHasNoEdges) {  // RFC 3021
  sh("ip addr add 10.79.0.0/31 dev veth0");
  EXPECT_EQ(objection("veth0", "10.79.0.1"), "");
}

TEST_F(PreflightTest, AllObjectionsAtOnce) {
  sh("ip link set veth0 mtu 1400 && ip link set veth0 down");
  EXPECT_SAYS(objection("veth0", "10.78.0.100"), "several:");
}

TEST_F(PreflightTest, Facts) {
  sh("ip route add default via 10.77.0.1 metric 200; ip route add default via 10.77.0.2 metric 100;"
     "ip route add 10.99.0.0/16 via 10.77.0.3; bridge fdb add 02:00:00:00:00:07 dev veth0 self");
  auto facts = read_adapter("veth0");
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->driver, "veth");
  EXPECT_TRUE(facts->up && facts->carrier && facts->ethernet);
  EXPECT_EQ(facts->mtu, 1500u);
  EXPECT_EQ(facts->mac_current, kOwnMac);
  EXPECT_EQ(facts->addresses[0], (InterfaceAddress{kDedicated, 24}));
  EXPECT_EQ(facts->gateway, IpAddress::parse("10.77.0.2"));
  EXPECT_EQ(facts->extra_macs, std::vector{*MacAddress::parse("02:00:00:00:00:07")});
  sh("ip link set veth1 down");
  EXPECT_FALSE(read_adapter("veth0")->carrier);
}

TEST_F(PreflightTest, GatewayOfAnotherInterfaceIsNotOurs) {
  sh("ip link add veth2 type veth peer name veth3; ip addr add 10.80.0.2/24 dev veth2; ip link set veth2 up;"
     "ip route add default via 10.80.0.1");
  EXPECT_EQ(read_adapter("veth0")->gateway, std::nullopt);
}

}  // namespace
}  // namespace nlb::testing
