// SPDX-License-Identifier: Apache-2.0
// vmswitch.toml and vmswitch.d: bad files as a table (one line of a good file replaced, and exactly what must
// be said), good ones, and how the two sources are laid over each other.
#include "vmswitch/switch_config.hh"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace nlb::vmswitch {
namespace {

constexpr const char* kGood[] = {
    "[[switch]]",                         // 1
    "bridge  = \"br0\"",                  // 2
    "uplinks = [\"eno1\"]",               // 3
    "[[cluster]]",                        // 4
    "name  = \"web\"",                    // 5
    "type  = \"nlb\"",                    // 6
    "vips  = [\"10.77.0.100\"]",          // 7
    "hosts = [1, 2, 3]",                  // 8
    "[[port]]",                           // 9
    "vm        = \"web1\"",               // 10
    "interface = \"tap-web1\"",           // 11
    "mac       = \"52:54:00:00:00:01\"",  // 12
    "mac_spoofing = \"cluster\"",         // 13
    "cluster   = \"web\"",                // 14
    "host_id   = 1",                      // 15
    "addresses = [\"10.77.0.11\"]",       // 16
};

std::string good_with(int line, const std::string& replacement) {
  std::string text;
  int at = 0;
  for (const char* original : kGood) text += (++at == line ? replacement : original) + std::string("\n");
  return text;
}

SwitchConfigResult parsed(const std::string& text, const std::vector<ConfigText>& overrides = {}) {
  return parse_switch_config({"f", text}, overrides);
}

struct BadCase {
  int replaced;             // which line of kGood
  const char* replacement;  // by what; may be several lines
  const char* says;         // all that is said
};

const BadCase kBadCases[] = {
    {1, "[[swich]]",
     "f:1: unknown key \"swich\" in the file; nearest known key: \"switch\" (known: switch, cluster, port "
     "or metrics)\nf:1: there is no [[switch]]; allowed: one for each bridge that is to be guarded"},
    {1, "[switch]", "f:1: switch must be written as [[switch]], not as a table"},
    {2, "bridge = ", "f:2: Error while parsing key-value pair: expected value, saw '\\n'"},
    {2, "",
     "f:1: bridge is missing in [[switch]]; allowed: the name of a bridge, 1 to 15 characters, none of them "
     "a quote, backslash or asterisk (for nftables)"},
    {2, "bridge = \"br*\"",
     "f:2: bridge is \"br*\"; allowed: the name of a bridge, 1 to 15 characters, none of them a quote, "
     "backslash or asterisk (for nftables)"},
    {2, "bridge = \"a/b\"",
     "f:2: bridge is \"a/b\"; allowed: the name of a network interface, 1 to 15 characters"},
    {2, "bridge = \"br0\"\nunknown_port = \"deny\"",
     "f:3: unknown key \"unknown_port\" in [[switch]]; nearest known key: \"unknown_ports\" (known: bridge, "
     "uplinks, unknown_ports, require_stopped, policy, announce, steering or fence_notice)"},
    {2, "bridge = \"br0\"\nanounce = true",
     "f:3: unknown key \"anounce\" in [[switch]]; nearest known key: \"announce\" (known: bridge, uplinks, "
     "unknown_ports, require_stopped, policy, announce, steering or fence_notice)"},
    {2, "bridge = \"br0\"\nsteering = 1", "f:3: steering must be true or false, not the number 1"},
    {2, "bridge = \"br0\"\nannounce = false\nsteering = true",
     "f:4: steering needs announce = true: members are told there that the switch steers"},
    {2, "bridge = \"br0\"\npolicy = \"audit\"\nfence_notice = true",
     "f:4: fence_notice needs announce = true and policy = \"enforce\": members are asked there, and a port "
     "is "
     "fenced that passes nothing"},
    {2, "bridge = \"br0\"\nannounce = \"no\"", "f:3: announce must be true or false, not the text \"no\""},
    {2, "bridge = \"br0\"\nunknown_ports = \"drop\"",
     "f:3: unknown_ports is \"drop\"; allowed: \"deny\", \"sticky\" or \"allow\""},
    {2, "bridge = \"br0\"\npolicy = \"off\"", "f:3: policy is \"off\"; allowed: \"enforce\" or \"audit\""},
    {2, "bridge = \"br0\"\nrequire_stopped = \"yes\"",
     "f:3: require_stopped must be true or false, not the text \"yes\""},
    {3, "uplinks = \"eno1\"",
     "f:3: uplinks must be a list, not the text \"eno1\"; allowed: a list of names of network interfaces, 1 "
     "to 15 characters each"},
    {3, "uplinks = [\"eno1\", \"eno1\"]", "f:3: uplinks holds \"eno1\" twice; allowed: each entry once"},
    {3, "uplinks = [7]",
     "f:3: uplinks holds the number 7; allowed: a list of names of network interfaces, 1 to 15 characters "
     "each"},
    {3, "uplinks = [\"br0\"]", "f:3: uplinks holds the bridge br0 itself; allowed: ports of the bridge"},
    {3, "[[switch]]\nbridge = \"br0\"",
     "f:4: bridge \"br0\" has a [[switch]] already; allowed: one [[switch]] a bridge"},
    {3, "uplinks = [\"eno1\"]\n[[switch]]\nbridge = \"br1\"\nuplinks = [\"eno1\"]",
     "f:6: uplinks holds eno1, which is an uplink of br0; allowed: an interface of one bridge"},
    {3, "uplinks = [\"tap-web1\"]",
     "f:11: interface \"tap-web1\" is an uplink of br0; allowed: the interface of a guest"},
    {3, "[[switch]]\nbridge = \"tap-web1\"",
     "f:12: interface \"tap-web1\" is a guarded bridge; allowed: the interface of a guest"},
    {5, "", "f:4: name is missing in [[cluster]]; allowed: 1 to 32 letters, digits, \"-\" and \"_\""},
    {5, "name = \"a b\"", "f:5: name is \"a b\"; allowed: 1 to 32 letters, digits, \"-\" and \"_\""},
    {5, "name = \"\"", "f:5: name is \"\"; allowed: 1 to 32 letters, digits, \"-\" and \"_\""},
    {6, "", "f:4: type is missing in [[cluster]]; allowed: \"nlb\", \"vrrp\", \"carp\" or \"macs\""},
    {6, "type = \"hsrp\"", "f:6: type is \"hsrp\"; allowed: \"nlb\", \"vrrp\", \"carp\" or \"macs\""},
    {6, "type = \"nlb\"\nvrid = 51",
     "f:7: vrid does not go with type \"nlb\"; allowed: only with type \"vrrp\" or \"carp\""},
    {6, "type = \"nlb\"\nmacs = [\"02:00:00:00:00:01\"]",
     "f:7: macs does not go with type \"nlb\"; allowed: only with type \"macs\""},
    {6, "type = \"nlb\"\nmode = \"anycast\"",
     "f:7: mode is \"anycast\"; allowed: \"unicast\", \"multicast\" or \"igmp\""},
    {6, "type = \"nlb\"\nvlan = 4095", "f:7: vlan is 4095; allowed: 0..4094"},
    {6, "type = \"nlb\"\nvip = \"10.77.0.100\"",
     "f:7: unknown key \"vip\" in [[cluster]]; nearest known key: \"vips\" (known: name, type, vips, mode, "
     "hosts, vrid, macs or vlan)"},
    {7, "", "f:4: vips is missing in [[cluster]]; allowed: a list of 1 to 64 unicast IP addresses"},
    {7, "vips = []", "f:7: vips is empty; allowed: a list of 1 to 64 unicast IP addresses"},
    {7, "vips = [\"10.77.0.300\"]",
     "f:7: vips holds \"10.77.0.300\"; allowed: a list of up to 64 unicast IP addresses"},
    {7, "vips = [\"224.0.0.1\"]",
     "f:7: vips holds \"224.0.0.1\", a multicast or reserved address; allowed: a list of up to 64 unicast IP "
     "addresses"},
    {7, "vips = [\"0.0.0.0\"]",
     "f:7: vips holds \"0.0.0.0\", the unspecified address; allowed: a list of up to 64 unicast IP "
     "addresses"},
    {7, "vips = [\"ff02::1\"]",
     "f:7: vips holds \"ff02::1\", a multicast address; allowed: a list of up to 64 unicast IP addresses"},
    {7, "vips = [\"10.77.0.100\", \"10.77.0.100/24\"]",
     "f:7: vips holds \"10.77.0.100/24\" twice; allowed: each entry once"},
    {8, "", "f:4: hosts is missing in [[cluster]]; allowed: a list of 1 to 64 host ids, each 1..64"},
    {8, "hosts = []", "f:8: hosts is empty; allowed: a list of 1 to 64 host ids, each 1..64"},
    {8, "hosts = [1, 65]", "f:8: hosts holds the number 65; allowed: a list of 1 to 64 host ids, each 1..64"},
    {8, "hosts = [1, 1]", "f:8: hosts holds 1 twice; allowed: each host id once"},
    {8, "hosts = [\"1\"]",
     "f:8: hosts holds the text \"1\"; allowed: a list of 1 to 64 host ids, each 1..64"},
    {8, "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"vrrp\"\nvips = [\"10.77.0.101\"]",
     "f:9: vrid is missing in [[cluster]]; allowed: 1..255"},
    {8, "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"vrrp\"\nvips = [\"10.77.0.101\"]\nvrid = 0",
     "f:13: vrid is 0; allowed: 1..255"},
    {8, "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"carp\"\nvips = [\"10.77.0.101\"]\nvrid = 256",
     "f:13: vrid is 256; allowed: 1..255"},
    {8, "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"carp\"\nvrid = 1",
     "f:9: vips is missing in [[cluster]]; allowed: a list of 1 to 64 unicast IP addresses"},
    {8,
     "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"vrrp\"\nvips = [\"10.77.0.101\"]\nvrid = 1\nhosts "
     "= [1]",
     "f:14: hosts does not go with type \"vrrp\"; allowed: only with type \"nlb\""},
    {8,
     "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"vrrp\"\nvips = [\"10.77.0.101\"]\nvrid = 1\nmode = "
     "\"unicast\"",
     "f:14: mode does not go with type \"vrrp\"; allowed: only with type \"nlb\""},
    {8, "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"macs\"\n",
     "f:9: macs is missing in [[cluster]]; allowed: a list of 1 to 64 unicast MAC addresses"},
    {8, "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"macs\"\nmacs = []",
     "f:12: macs is empty; allowed: a list of 1 to 64 unicast MAC addresses"},
    {8, "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"macs\"\nmacs = [\"01:00:5e:00:00:01\"]",
     "f:12: macs holds \"01:00:5e:00:00:01\", a multicast address; allowed: a list of up to 64 unicast MAC "
     "addresses"},
    {8, "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"macs\"\nmacs = [\"02:bf:0a:4d:00:64\"]",
     "f:10: name \"mail\" uses 02:bf:0a:4d:00:64 as cluster \"web\" does in the untagged VLAN; allowed: "
     "clusters of one VLAN with no MAC in common"},
    {8, "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"nlb\"\nvips = [\"10.77.0.100\"]\nhosts = [4]",
     "f:12: vips holds 10.77.0.100, a VIP of cluster \"web\" in the untagged VLAN; allowed: each VIP in one "
     "cluster of a VLAN"},
    {8, "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"vrrp\"\nvips = [\"10.77.0.100\"]\nvrid = 7",
     "f:12: vips holds 10.77.0.100, a VIP of cluster \"web\" in the untagged VLAN; allowed: each VIP in one "
     "cluster of a VLAN"},
    {8,
     "hosts = [1]\n[[cluster]]\nname = \"mail\"\ntype = \"vrrp\"\nvips = [\"10.77.0.101\"]\nvrid = "
     "7\n[[cluster]]\nname = \"ftp\"\ntype = \"carp\"\nvips = [\"10.77.0.102\"]\nvrid = 7",
     "f:15: name \"ftp\" uses 00:00:5e:00:01:07 as cluster \"mail\" does in the untagged VLAN; allowed: "
     "clusters of one VLAN with no MAC in common"},
    {8, "hosts = [1]\n[[cluster]]\nname = \"web\"\ntype = \"vrrp\"\nvips = [\"10.77.0.101\"]\nvrid = 7",
     "f:10: name \"web\" is taken; allowed: each cluster's name once"},
    {10, "",
     "f:9: vm is missing in [[port]]; allowed: 1 to 64 letters, digits, \"-\", \"_\" and \".\", not "
     "beginning with \".\""},
    {10, "vm = \"\"",
     "f:10: vm is \"\"; allowed: 1 to 64 letters, digits, \"-\", \"_\" and \".\", not beginning with \".\""},
    {10, "vm = \"../web1\"",
     "f:10: vm is \"../web1\"; allowed: 1 to 64 letters, digits, \"-\", \"_\" and \".\", not beginning with "
     "\".\""},
    {10, "vm = \"web1\"\nadapter = \"\"",
     "f:11: adapter is \"\"; allowed: 1 to 64 letters, digits, \"-\", \"_\" and \".\", not beginning with "
     "\".\""},
    {11, "",
     "f:9: interface is missing in [[port]]; allowed: the name of a network interface, 1 to 15 characters"},
    {11, "interface = \"abcdefghijklmnop\"",
     "f:11: interface is \"abcdefghijklmnop\"; allowed: the name of a network interface, 1 to 15 characters"},
    {12, "", "f:9: mac is missing in [[port]]; allowed: a unicast MAC address like \"52:54:00:12:34:56\""},
    {12, "mac = \"52:54:00\"",
     "f:12: mac is \"52:54:00\"; allowed: a unicast MAC address like \"52:54:00:12:34:56\""},
    {12, "mac = \"01:00:5e:00:00:01\"",
     "f:12: mac is \"01:00:5e:00:00:01\", a multicast address; allowed: a unicast MAC address like "
     "\"52:54:00:12:34:56\""},
    {12, "mac = \"ff:ff:ff:ff:ff:ff\"",
     "f:12: mac is \"ff:ff:ff:ff:ff:ff\", a multicast address; allowed: a unicast MAC address like "
     "\"52:54:00:12:34:56\""},
    {12, "mac = \"00:00:00:00:00:00\"",
     "f:12: mac is \"00:00:00:00:00:00\", the zero address; allowed: a unicast MAC address like "
     "\"52:54:00:12:34:56\""},
    {12, "mac = \"02:bf:0a:4d:00:64\"",
     "f:12: mac 02:bf:0a:4d:00:64 belongs to cluster \"web\"; allowed: a MAC address of its own"},
    {12, "mac = \"02:02:0a:4d:00:64\"",
     "f:12: mac 02:02:0a:4d:00:64 belongs to cluster \"web\"; allowed: a MAC address of its own"},
    {13, "mac_spoofing = \"yes\"", "f:13: mac_spoofing is \"yes\"; allowed: \"off\", \"cluster\" or \"on\""},
    {13, "mac_spoofing = true",
     "f:13: mac_spoofing must be a text in quotes, not true; allowed: \"off\", \"cluster\" or \"on\""},
    {13, "mac_spoofing = \"cluster\"\nmax_macs = 3",
     "f:14: max_macs goes only with mac_spoofing \"on\"; allowed with \"cluster\": 1, or no max_macs"},
    {13, "mac_spoofing = \"off\"\nsticky = true",
     "f:14: sticky goes only with mac_spoofing \"on\"; allowed with \"off\": false, or no sticky"},
    {13, "mac_spoofing = \"on\"\nsticky = true",
     "f:14: sticky needs a limit; allowed: also a line max_macs = 1..4096"},
    {13, "mac_spoofing = \"on\"\nmax_macs = 4097", "f:14: max_macs is 4097; allowed: 0..4096"},
    {13, "mac_spoofing = \"cluster\"\nviolation = \"kill\"",
     "f:14: violation is \"kill\"; allowed: \"drop\", \"report\" or \"shutdown\""},
    {13, "mac_spoofing = \"cluster\"\nrecover_s = 0", "f:14: recover_s is 0; allowed: 1..86400"},
    {13, "mac_spoofing = \"cluster\"\nstorm_limit_pps = -1",
     "f:14: storm_limit_pps is -1; allowed: 0..100000000"},
    {13, "mac_spoofing = \"cluster\"\ndhcp_guard = 1",
     "f:14: dhcp_guard must be true or false, not the number 1"},
    {13, "mac_spoofing = \"cluster\"\nmac_spofing = \"on\"",
     "f:14: unknown key \"mac_spofing\" in [[port]]; nearest known key: \"mac_spoofing\" (known: vm, "
     "adapter, interface, mac, addresses, mac_spoofing, cluster, host_id, vlan, dhcp_guard, router_guard, "
     "max_macs, sticky, storm_limit_pps, violation or recover_s)"},
    {14, "", "f:13: mac_spoofing \"cluster\" needs a cluster; allowed: also a line cluster = \"NAME\""},
    {14, "cluster = \"wep\"", "f:14: cluster \"wep\" is not declared; allowed: \"web\""},
    {14, "cluster = \"web\"\nvlan = 7",
     "f:14: cluster \"web\" is in the untagged VLAN, the port in VLAN 7; allowed: a cluster of the port's "
     "VLAN"},
    {15, "", "f:14: cluster \"web\" needs a host id; allowed: also a line host_id = 1..64"},
    {15, "host_id = 4",
     "f:15: host_id is 4, which is not in hosts of cluster \"web\"; allowed: one of its hosts"},
    {15, "host_id = 0", "f:15: host_id is 0; allowed: 1..64"},
    {16, "addresses = [\"10.77.0.100\"]",
     "f:16: addresses holds 10.77.0.100, a VIP of cluster \"web\"; allowed: own addresses (the VIPs of the "
     "port's cluster are implied)"},
    {16, "addresses = [\"10.77.0.11\", \"10.77.0.11\"]",
     "f:16: addresses holds \"10.77.0.11\" twice; allowed: each entry once"},
    {16,
     "addresses = [\"10.77.0.11\"]\n[[port]]\nvm = \"web2\"\ninterface = \"tap-web2\"\nmac = "
     "\"52:54:00:00:00:02\"\naddresses = [\"10.77.0.11\"]",
     "f:21: addresses holds 10.77.0.11, which is that of web1 in the untagged VLAN; allowed: each address at "
     "one port of a VLAN"},
    {16, "addresses = \"10.77.0.11\"",
     "f:16: addresses must be a list, not the text \"10.77.0.11\"; allowed: a list of up to 64 unicast IP "
     "addresses"},
    {16,
     "[[port]]\nvm = \"web2\"\ninterface = \"tap-web2\"\nmac = \"52:54:00:00:00:02\"\nmac_spoofing = "
     "\"cluster\"\ncluster = \"web\"\nhost_id = 1",
     "f:22: host_id is 1 as that of web1 in cluster \"web\"; allowed: a host id of its own"},
    {16, "[[port]]\nvm = \"web2\"\ninterface = \"tap-web2\"\nmac = \"52:54:00:00:00:01\"\n",
     "f:19: mac 52:54:00:00:00:01 is that of web1; allowed: a MAC address of its own"},
    {16, "[[port]]\nvm = \"web2\"\ninterface = \"tap-web1\"\nmac = \"52:54:00:00:00:02\"\n",
     "f:18: interface \"tap-web1\" is that of web1; allowed: one [[port]] an interface"},
    {16, "[[port]]\nvm = \"web1\"\ninterface = \"tap-web2\"\nmac = \"52:54:00:00:00:02\"\n",
     "f:17: vm \"web1\" has a [[port]] already; allowed: one [[port]] for each adapter"},
    {16,
     "[[port]]\nvm = \"web1\"\nadapter = \"net1\"\ninterface = \"tap-web2\"\nmac = \"52:54:00:00:00:02\"\n",
     "f:10: vm \"web1\" has several adapters, this one has no name; allowed: also a line adapter = \"NAME\""},
    {16, "[[port]]\nvm = \"web2\"\ninterface = \"tap-web2\"\nmac = \"52:54:00:00:00:02\"\nhost_id = 2",
     "f:20: host_id needs a cluster; allowed: also a line cluster = \"NAME\""},
    {16,
     "[[cluster]]\nname = \"r\"\ntype = \"carp\"\nvips = [\"10.77.0.200\"]\nvrid = 9\n[[port]]\nvm = "
     "\"web2\"\ninterface = \"tap-web2\"\nmac = \"52:54:00:00:00:02\"\nmac_spoofing = \"cluster\"\ncluster = "
     "\"r\"\nhost_id = 2",
     "f:27: host_id does not go with cluster \"r\" of type \"carp\"; allowed: only with type \"nlb\""},
};

TEST(SwitchConfigProblems, SayExactlyWhatIsWrongAndWhatIsAllowed) {
  for (const auto& bad : kBadCases) {
    const auto text = good_with(bad.replaced, bad.replacement);
    const auto config = parsed(text);
    if (config) {
      ADD_FAILURE() << "accepted:\n" << text;
    } else {
      EXPECT_EQ(text_of(config.error()), bad.says) << text;
    }
  }
  EXPECT_GE(std::size(kBadCases), 40U);
}

TEST(SwitchConfigProblems, AreAllReported) {
  const auto config = parsed("[[switch]]\nbridge = 1\n[[port]]\nvm = \"a\"\ninterface = \"\"\nmac = \"x\"\n");
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(text_of(config.error()),
            "f:2: bridge must be a text in quotes, not the number 1; allowed: the name of a network "
            "interface, 1 to "
            "15 characters\n"
            "f:5: interface is \"\"; allowed: the name of a network interface, 1 to 15 characters\n"
            "f:6: mac is \"x\"; allowed: a unicast MAC address like \"52:54:00:12:34:56\"");
}

// The text of the outside contract, word for word.
constexpr const char* kContract = R"([[switch]]
bridge          = "br0"
uplinks         = ["eno1"]      # every other port is a guest port
unknown_ports   = "deny"        # deny | sticky | allow
require_stopped = true
policy          = "enforce"     # enforce | audit
announce        = true

[[cluster]]
name  = "web"
type  = "nlb"                   # nlb | vrrp | carp | macs
vips  = ["10.77.0.100"]
mode  = "unicast"               # type nlb
hosts = [1, 2, 3]
vlan  = 0

[[port]]
vm           = "web1"
adapter      = "net0"
interface    = "tap-web1"
mac          = "52:54:00:00:00:01"
addresses    = ["10.77.0.11"]
mac_spoofing = "off"            # off | cluster | on
cluster      = "web"            # with mac_spoofing = "cluster"
host_id      = 1
vlan         = 0
dhcp_guard   = false
router_guard = false
storm_limit_pps = 0
max_macs     = 1
sticky       = false
violation    = "drop"           # drop | report | shutdown
recover_s    = 300
)";

SwitchConfig good(const std::string& text, const std::vector<ConfigText>& overrides = {}) {
  auto config = parsed(text, overrides);
  EXPECT_TRUE(config.has_value()) << text_of(config.error());
  return config ? *config : SwitchConfig{};
}

TEST(SwitchConfig, TheContractsExampleIsGood) {
  const auto config = good(kContract);
  ASSERT_EQ(config.switches.size(), 1U);
  EXPECT_EQ(config.switches[0].uplinks, std::vector<std::string>{"eno1"});
  ASSERT_NE(config.cluster("web"), nullptr);
  EXPECT_EQ(config.cluster("web")->hosts, 7U);
  const auto* port = config.port_on("tap-web1");
  ASSERT_NE(port, nullptr);
  EXPECT_EQ(port->title(), "web1/net0");
  EXPECT_EQ(port->mac.text(), "52:54:00:00:00:01");
  EXPECT_EQ(port->mac_spoofing, MacSpoofing::off);
  EXPECT_EQ(port->source, "f");
  EXPECT_TRUE(port->addresses_given);
}

TEST(SwitchConfig, LeftOutKeysHaveTheirDefaults) {
  const auto config = good(
      "[[switch]]\nbridge = \"br0\"\n[[port]]\nvm = \"a\"\ninterface = \"t\"\nmac = \"52:54:00:00:00:01\"\n");
  GuestPort wanted;
  wanted.vm = "a";
  wanted.interface = "t";
  wanted.mac = *MacAddress::parse("52:54:00:00:00:01");
  wanted.source = "f";
  ASSERT_EQ(config.ports.size(), 1U);
  EXPECT_EQ(config.ports[0], wanted);
  EXPECT_EQ(config.switches[0].unknown_ports, UnknownPorts::deny);
  EXPECT_TRUE(config.switches[0].require_stopped);
  EXPECT_TRUE(config.switches[0].announce);
}

TEST(SwitchConfig, MetricsAreOffUnlessSomewhere) {
  const std::string text = "[[switch]]\nbridge = \"br0\"\n";
  EXPECT_FALSE(good(text).metrics_listen);
  EXPECT_EQ(good(text + "[metrics]\nlisten = \"127.0.0.1:9478\"\n").metrics_listen->text(), "127.0.0.1:9478");
  EXPECT_EQ(text_of(parsed(text + "[[metrics]]\nlisten = \"127.0.0.1:9478\"\n").error()),
            "f:3: metrics must be the section [metrics], not a list");
  EXPECT_NE(text_of(parsed(text + "[metrics]\nlisten = true\n").error()).find("f:4: listen"),
            std::string::npos);
}

TEST(SwitchConfig, SpoofingOnHasNoLimitUnlessOneIsGiven) {
  EXPECT_EQ(good(good_with(13, "mac_spoofing = \"on\"")).ports[0].max_macs, 0U);
  EXPECT_EQ(good(good_with(13, "mac_spoofing = \"on\"\nmax_macs = 2\nsticky = true")).ports[0].max_macs, 2U);
}

TEST(Overrides, WinKeyByKeyAndAreNamedAsSource) {
  const ConfigText top{"vmswitch.d/web1.toml",
                       "[[port]]\nvm = \"web1\"\nadapter = \"net0\"\nmac_spoofing = \"cluster\"\n"};
  const auto config = good(kContract, {top});
  ASSERT_EQ(config.ports.size(), 1U);
  EXPECT_EQ(config.ports[0].mac_spoofing, MacSpoofing::cluster);
  EXPECT_EQ(config.ports[0].host_id, 1);
  EXPECT_EQ(config.ports[0].interface, "tap-web1");
  EXPECT_EQ(config.ports[0].source, "vmswitch.d/web1.toml");
}

TEST(Overrides, OfTheOnlyAdapterNeedNotNameIt) {
  const ConfigText top{"web1.toml", "[[port]]\nvm = \"web1\"\nmac_spoofing = \"on\"\n"};
  EXPECT_EQ(good(kContract, {top}).ports[0].mac_spoofing, MacSpoofing::on);
}

TEST(Overrides, MayDeclareAPort) {
  const ConfigText top{"db1.toml",
                       "[[port]]\nvm = \"db1\"\ninterface = \"tap9\"\nmac = \"52:54:00:00:00:09\"\n"};
  const auto config = good(kContract, {top});
  ASSERT_EQ(config.ports.size(), 2U);
  EXPECT_EQ(config.port_on("tap9")->source, "db1.toml");
}

// `set --mac-spoofing off` must work whatever limits the main file has for the setting "on".
TEST(Overrides, LeaveKeysOfTheMainFilesSettingWithoutEffect) {
  const auto main = good_with(13, "mac_spoofing = \"on\"\nmax_macs = 4\nsticky = true");
  const auto config = good(main, {{"web1.toml", "[[port]]\nvm = \"web1\"\nmac_spoofing = \"off\"\n"}});
  EXPECT_EQ(config.ports[0].max_macs, 1U);
  EXPECT_FALSE(config.ports[0].sticky);
}

TEST(Overrides, AreComplainedOfInTheirOwnFile) {
  const auto said = [](const std::string& override_text) {
    const auto config = parsed(kContract, {{"d/web1.toml", override_text}});
    return config ? std::string("accepted") : text_of(config.error());
  };
  EXPECT_EQ(said("[[port]]\nvm = \"web2\"\n"),
            "d/web1.toml:2: vm is \"web2\"; allowed here: \"web1\", the VM that the file is named after");
  EXPECT_EQ(
      said("[[port]]\nvm = \"web1\"\nhost_id = 9\n"),
      "d/web1.toml:3: host_id is 9, which is not in hosts of cluster \"web\"; allowed: one of its hosts");
  EXPECT_EQ(
      said("[[port]]\nvm = \"web1\"\nmax_macs = 2\nmac_spoofing = \"off\"\n"),
      "d/web1.toml:3: max_macs goes only with mac_spoofing \"on\"; allowed with \"off\": 1, or no max_macs");
  EXPECT_EQ(
      said("[[switch]]\nbridge = \"x\"\n"),
      "d/web1.toml:1: unknown key \"switch\" in a file of vmswitch.d; nearest known key: \"port\" (known: "
      "port)");
  EXPECT_EQ(
      said("[[port]]\nvm = \"web1\"\n[[port]]\nvm = \"web1\"\n"),
      "d/web1.toml:3: vm \"web1\" has a [[port]] for this adapter already; allowed: one [[port]] for each "
      "adapter");
}

TEST(Overrides, MustSayWhichOfSeveralAdapters) {
  const std::string two = std::string(kContract) +
                          "[[port]]\nvm = \"web1\"\nadapter = \"net1\"\ninterface = \"t\"\nmac = "
                          "\"52:54:00:00:00:07\"\n";
  const auto config = parsed(two, {{"web1.toml", "[[port]]\nvm = \"web1\"\nmac_spoofing = \"on\"\n"}});
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(text_of(config.error()),
            "web1.toml:1: vm \"web1\" has several adapters, none is named; allowed: also a line adapter = "
            "\"net0\" or \"net1\"");
}

TEST(SwitchConfigFiles, AreTheMainOneAndThoseBesideIt) {
  namespace fs = std::filesystem;
  std::string pattern = (fs::temp_directory_path() / "nlb-switch-config-XXXXXX").string();
  const fs::path directory = mkdtemp(pattern.data());
  const std::string main = directory / "vmswitch.toml";
  EXPECT_EQ(text_of(read_switch_config(main).error()), main + ": cannot be read: No such file or directory");
  std::ofstream(main) << kContract;
  EXPECT_TRUE(read_switch_config(main).has_value());  // no vmswitch.d is an empty one
  fs::create_directory(directory / "vmswitch.d");
  const auto write = [&](const char* name, const char* text) {
    std::ofstream(directory / "vmswitch.d" / name) << text;
  };
  write("web1.toml", "[[port]]\nvm = \"web1\"\nmac_spoofing = \"on\"\n");
  write("README", "not TOML");
  write(".web1.toml", "half written");
  const auto config = read_switch_config(main);
  ASSERT_TRUE(config.has_value()) << text_of(config.error());
  EXPECT_EQ(config->ports[0].mac_spoofing, MacSpoofing::on);
  EXPECT_EQ(config->ports[0].source, directory / "vmswitch.d/web1.toml");
  fs::remove_all(directory);
}

}  // namespace
}  // namespace nlb::vmswitch
