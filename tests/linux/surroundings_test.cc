// SPDX-License-Identifier: Apache-2.0
// What others on a host do, read from recorded text: nft's listing, /proc/net, the state files of network
// managers.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "linux/firewall.hh"
#include "linux/network_manager.hh"
#include "linux/socket_table.hh"

namespace nlb::testing {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

// A ruleset of one chain, as `nft -j list ruleset` prints it.
FirewallFacts judged(const std::string& chain, const std::string& expressions,
                     const std::optional<IpAddress>& carried_for = {}) {
  std::string json = R"({"nftables":[{"metainfo":{"json_schema_version":1}},{"chain":)" + chain + "}";
  if (!expressions.empty())
    json += R"(,{"rule":{"family":"netdev","table":"t","chain":"in","expr":)" + expressions + "}}";
  const auto facts = judge_ruleset(json + "]}", "eth0", carried_for);
  EXPECT_TRUE(facts) << json;
  return facts.value_or(FirewallFacts{});
}

std::string chain_on(const std::string& device, const std::string& policy = "accept") {
  return R"({"family":"netdev","table":"t","name":"in","type":"filter","hook":"ingress","dev":")" + device +
         R"(","prio":0,"policy":")" + policy + "\"}";
}

const std::string kType =
    R"({"match":{"op":"==","left":{"payload":{"protocol":"ether","field":"type"}},"right":)";
const std::string kDrop = R"({"drop":null})";

TEST(Firewall, ADropOfHeartbeatsIsNamed) {
  const Texts expected = {"table netdev t, chain in drops heartbeats (EtherType 0x88b5)"};
  EXPECT_EQ(judged(chain_on("eth0"), "[" + kType + "34997}}," + kDrop + "]").dropped, expected);
  EXPECT_EQ(judged(chain_on("eth0"), "[" + kType + R"({"set":[34997,"ip6"]}}},)" + kDrop + "]").dropped,
            expected);
  EXPECT_EQ(judged(chain_on("eth0"), "[" + kType + "34997}}," + kDrop + "]").translations.size(), 0u);
}

TEST(Firewall, ADropOfArpIsNamed) {
  EXPECT_EQ(judged(chain_on("eth0"), "[" + kType + R"("arp"}},)" + kDrop + "]").dropped,
            Texts{"table netdev t, chain in drops ARP"});
}

TEST(Firewall, ADropOfEverythingAndAPolicyAreNamed) {
  EXPECT_EQ(judged(chain_on("eth0"), "[" + kDrop + "]").dropped.size(), 2u);
  EXPECT_EQ(judged(chain_on("eth0", "drop"), "").dropped,
            (Texts{"table netdev t, chain in drops heartbeats (EtherType 0x88b5) by its policy",
                   "table netdev t, chain in drops ARP by its policy"}));
}

TEST(Firewall, WhatIsAcceptedBeforeThePolicyPasses) {
  const auto facts =
      judged(chain_on("eth0", "drop"), "[" + kType + R"({"set":[34997,"arp"]}}},{"accept":null}])");
  EXPECT_EQ(facts.dropped, Texts{});
}

TEST(Firewall, OtherInterfacesAndOtherFramesAreNoConcern) {
  EXPECT_EQ(judged(chain_on("eth7"), "[" + kDrop + "]").dropped, Texts{});
  EXPECT_EQ(judged(chain_on("eth0"), "[" + kType + R"("ip6"}},)" + kDrop + "]").dropped, Texts{});
  const std::string ip =
      R"([{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"10.0.0.1"}},)";
  EXPECT_EQ(judged(chain_on("eth0"), ip + kDrop + "]").dropped, Texts{});
}

// Of a rule that drops what matches: the words on heartbeats in IP for a VIP, "" when it does not drop them.
std::string of_carried(const std::string& left, const std::string& right, const char* vip = "10.0.0.100",
                       const std::string& op = "==") {
  const std::string match =
      R"([{"match":{"op":")" + op + R"(","left":)" + left + R"(,"right":)" + right + "}},";
  for (const auto& words : judged(chain_on("eth0"), match + kDrop + "]", *IpAddress::parse(vip)).dropped)
    if (words.find("in IP") != std::string::npos) return words.substr(words.find("drops"));
  return "";
}

TEST(Firewall, HeartbeatsInIpAreLookedFor) {
  const std::string protocol = R"({"payload":{"protocol":"ip","field":"protocol"}})";
  const std::string next = R"({"payload":{"protocol":"ip6","field":"nexthdr"}})";
  const std::string any = R"({"meta":{"key":"l4proto"}})", type = R"({"meta":{"key":"protocol"}})";
  const std::string whole = "drops heartbeats in IP (protocol 253)";
  EXPECT_EQ(of_carried(protocol, "253"), whole);
  EXPECT_EQ(of_carried(protocol, R"({"set":["icmp",253]})"), whole);
  EXPECT_EQ(of_carried(protocol, R"({"range":[1,255]})"), whole);
  EXPECT_EQ(of_carried(protocol, R"("tcp")", "10.0.0.100", "!="), whole);
  EXPECT_EQ(of_carried(any, "253"), whole);
  EXPECT_EQ(of_carried(type, R"("ip")"), whole);
  EXPECT_EQ(of_carried(R"({"payload":{"protocol":"ip","field":"daddr"}})", R"("239.255.0.100")"),
            "drops some heartbeats in IP (protocol 253)");
  EXPECT_EQ(of_carried(next, "253", "fd00::100"), "drops heartbeats in IPv6 (protocol 253)");
  EXPECT_EQ(of_carried(any, "253", "fd00::100"), "drops heartbeats in IPv6 (protocol 253)");

  EXPECT_EQ(of_carried(next, "253"), "");
  EXPECT_EQ(of_carried(protocol, "253", "fd00::100"), "");
  EXPECT_EQ(of_carried(protocol, R"({"range":[1,252]})"), "");
  EXPECT_EQ(of_carried(any, R"("udp")"), "");
  EXPECT_EQ(of_carried(R"({"payload":{"protocol":"udp","field":"dport"}})", "53"), "");
  EXPECT_EQ(of_carried(type, R"("ip6")"), "");
}

TEST(Firewall, TranslationsOfNftAndOfIptablesAreSeen) {
  const std::string port =
      R"([{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":80}},)";
  auto facts = judged(chain_on("eth7"), port + R"({"dnat":{"addr":"172.17.0.2","port":8080}}])");
  ASSERT_EQ(facts.translations.size(), 1u);
  EXPECT_EQ(facts.translations[0].ports, std::set<uint16_t>{80});
  facts = judged(chain_on("eth7"), R"([{"xt":{"type":"target","name":"DNAT"}}])");
  ASSERT_EQ(facts.translations.size(), 1u);
  EXPECT_TRUE(facts.translations[0].ports.empty());
}

TEST(Firewall, OurOwnGuardIsRecognised) {
  const auto facts = judge_ruleset(
      R"({"nftables":[{"table":{"family":"inet","name":"nlb_eth0"}},{"table":{"family":"arp","name":"nlb_eth1"}},
      {"chain":{"family":"netdev","table":"nlb_eth0","name":"e","hook":"egress","dev":"eth0","policy":"drop"}}]})",
      "eth0", {});
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->guard_families, Texts{"inet"});
  EXPECT_EQ(facts->dropped, Texts{});
}

TEST(Firewall, AListingThatIsNoneIsAnError) {
  EXPECT_FALSE(judge_ruleset("", "eth0", {}));
  EXPECT_FALSE(judge_ruleset("[]", "eth0", {}));
}

TEST(SocketTable, Ipv4AndIpv6AndStates) {
  const auto tcp = parse_socket_table(
      "  sl  local_address rem_address   st tx_queue rx_queue\n"
      "   0: 00000000:0050 00000000:0000 0A 00000000:00000000\n"
      "   1: 64004D0A:A000 01004D0A:01BB 01 00000000:00000000\n"
      "   2: 64004D0A:0050 01004D0A:C738 06 00000000:00000000\n"
      "nonsense\n",
      true);
  ASSERT_EQ(tcp.size(), 3u);
  EXPECT_TRUE(tcp[0].listening && tcp[0].local.is_unspecified());
  EXPECT_EQ(tcp[0].local_port, 80);
  EXPECT_TRUE(tcp[1].opening);
  EXPECT_EQ(tcp[1].local.text(), "10.77.0.100");
  EXPECT_EQ(tcp[1].remote.text(), "10.77.0.1");
  EXPECT_EQ(tcp[1].remote_port, 443);
  EXPECT_FALSE(tcp[2].opening || tcp[2].listening) << "TIME_WAIT is neither";
  const auto tcp6 = parse_socket_table(
      "   0: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A x\n", true);
  ASSERT_EQ(tcp6.size(), 1u);
  EXPECT_EQ(tcp6[0].local.text(), "2001:db8::1");
}

class Managers : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& content) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }
  [[nodiscard]] ManagerFacts read() const { return read_managers(root_.string(), "eth0", 3, place_); }
  NetworkPlace place_ = NetworkPlace::managers_own;
  fs::path root_ = fs::temp_directory_path() / ("nlb-managers-" + std::to_string(getpid()));
};

TEST_F(Managers, Nobody) {
  EXPECT_FALSE(read().networkd || read().network_manager);
  write("run/systemd/netif/links/3", "ADMIN_STATE=unmanaged\n");
  write("run/NetworkManager/devices/3", "[device]\nmanaged=false\n");
  EXPECT_FALSE(read().networkd || read().network_manager);
}

TEST_F(Managers, NetworkManager) {
  write("run/NetworkManager/devices/3", "[device]\nmanaged=true\nconnection-uuid=x\n");
  EXPECT_TRUE(read().network_manager);
  EXPECT_FALSE(read().network_manager_told);
  write("etc/NetworkManager/conf.d/50-opennlb-eth0.conf",
        "[device-x]\nmatch-device=interface-name:eth1\nkeep-configuration=yes\n");
  EXPECT_FALSE(read().network_manager_told) << "of another interface";
  write("etc/NetworkManager/conf.d/50-opennlb-eth0.conf",
        "[device-x]\nmatch-device=interface-name:eth0\nkeep-configuration=yes\n");
  EXPECT_TRUE(read().network_manager_told);
}

TEST_F(Managers, AreNobodysInAnotherNetworkAndUncertainInAnUnknownOne) {
  place_ = NetworkPlace::unknown;
  EXPECT_TRUE(read().certain) << "whatever the place, nobody manages a third interface";
  write("run/NetworkManager/devices/3", "[device]\nmanaged=true\n");
  EXPECT_FALSE(read().certain);
  place_ = NetworkPlace::managers_own;
  EXPECT_TRUE(read().certain && read().network_manager);
  place_ = NetworkPlace::another;
  EXPECT_TRUE(read().certain && !read().network_manager);
}

TEST_F(Managers, PlaceIsUnknownToWhoMayNotLookAtProcessOne) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become nobody";
  const pid_t child = fork();
  if (child == 0) {
    const bool nobody = setgid(65534) == 0 && setuid(65534) == 0;
    _exit(nobody && network_place() == NetworkPlace::unknown ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(Managers, NetworkdThatKeepsAndThatDoesNot) {
  write("run/systemd/netif/links/3",
        "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/"
        "10-lan.network\nNETWORK_FILE_DROPINS=\"\"\n");
  write("etc/systemd/network/10-lan.network", "[Network]\nDHCP=yes\n");
  EXPECT_TRUE(read().networkd);
  EXPECT_EQ(read().networkd_file, "/etc/systemd/network/10-lan.network");
  EXPECT_FALSE(read().networkd_keeps);
  write("etc/systemd/network/10-lan.network.d/50-opennlb-eth0.conf", "[Network]\nKeepConfiguration=yes\n");
  EXPECT_TRUE(read().networkd_keeps);
}

}  // namespace
}  // namespace nlb::testing
