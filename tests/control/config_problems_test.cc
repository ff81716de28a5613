// SPDX-License-Identifier: Apache-2.0
// Bad configurations as a table: one line of a good file replaced, and what must be said about which line.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "control/config_file.hh"

namespace nlb {
namespace {

constexpr const char* kGood[] = {
    "[cluster]",                    // 1
    "name = \"web\"",               // 2
    "vips = [\"10.77.0.100/24\"]",  // 3
    "mode = \"unicast\"",           // 4
    "key_file = \"web.key\"",       // 5
    "[host]",                       // 6
    "id = 1",                       // 7
    "interface = \"eth0\"",         // 8
    "[heartbeat]",                  // 9
    "period_ms = 50",               // 10
    "[[port_rule]]",                // 11
    "ports = \"80-443\"",           // 12
    "protocol = \"tcp\"",           // 13
};

std::string good_with(int line, const std::string& replacement) {
  std::string text;
  int at = 0;
  for (const char* original : kGood) text += (++at == line ? replacement : original) + std::string("\n");
  return text;
}

struct BadCase {
  int replaced;             // which line of kGood
  const char* replacement;  // by what; may be several lines
  int line;                 // where the complaint must point
  const char* says;         // and what it must contain
};

const BadCase kBadCases[] = {
    // syntax
    {2, "name = ", 2, "Error while parsing"},
    {2, "name = \"web\"\nname = \"web\"", 3, "redefine"},
    {2, "name = \"web", 2, "Error while parsing"},
    // what toml++ 3.3 asserts on instead of refusing it
    {9, "[&", 9, "not TOML; allowed: [section], [[section]] or key = value"},
    {9, "[#heartbeat]", 9, "not TOML"},
    {9, "[[[heartbeat]]]", 9, "not TOML"},
    {10, "period\xef\xb7\xb7_ms = 50", 10, "Error while parsing"},  // U+FDF7, see toml_document.cc
    // [cluster]
    {2, "", 1, "name is missing in [cluster]; allowed: 1 to 32 letters"},
    {2, "name = 7", 2, "name must be a text in quotes, not the number 7"},
    {2, "name = \"\"", 2, "name is \"\"; allowed: 1 to 32 letters"},
    {2, "name = \"a b\"", 2, "name is \"a b\"; allowed: 1 to 32 letters, digits, \"-\" and \"_\""},
    {2, "name = \"../x\"", 2, "allowed: 1 to 32 letters"},
    {2, "name = \"a\\u0007b\"", 2, "text with control characters"},
    {2, "name = \"abcdefghijabcdefghijabcdefghijabc\"", 2, "allowed: 1 to 32 letters"},
    {2, "name = \"vmswitch\"", 2, "taken by nlb-vmswitch"},
    {2, "nmae = \"web\"\nname = \"web\"", 2,
     "unknown key \"nmae\" in [cluster]; nearest known key: \"name\""},
    {3, "", 1, "vips is missing in [cluster]"},
    {3, "vips = \"10.77.0.100\"", 3, "vips must be a list, not the text"},
    {3, "vips = []", 3, "vips is empty; allowed: a list of 1 to 64"},
    {3, "vips = [7]", 3, "vips holds the number 7; allowed: a list"},
    {3, "vips = [\"10.77.0.100\",\n  \"10.77.0.300\"]", 4, "VIP \"10.77.0.300\" is not an address"},
    {3, "vips = [\"10.77.0.100/33\"]", 3, "VIP \"10.77.0.100/33\" is not an address"},
    {3, "vips = [\"10.77.0.100/0\"]", 3, "is not an address"},
    {3, "vips = [\"10.77.0.100/+8\"]", 3, "is not an address"},
    {3, "vips = [\"10.77.0.100\",\n  \"10.77.0.100/24\"]", 4,
     "VIP 10.77.0.100 is there twice; allowed: each VIP once"},
    {3, "vips = [\"224.0.0.18\"]", 3, "VIP 224.0.0.18 is a multicast address; allowed: a unicast address"},
    {3, "vips = [\"127.0.0.1\"]", 3, "VIP 127.0.0.1 is a loopback address"},
    {3, "vips = [\"255.255.255.255\"]", 3, "is the broadcast address"},
    {3, "vips = [\"0.0.0.0\"]", 3, "is the unspecified address"},
    {3, "vips = [\"0.1.2.3\"]", 3, "is in 0.0.0.0/8"},
    {3, "vips = [\"10.77.0.0/24\"]", 3, "is the network address of its prefix"},
    {3, "vips = [\"10.77.0.255/24\"]", 3, "is the broadcast address of its prefix"},
    {3, "vips = [\"::\"]", 3, "VIP :: is the unspecified address"},
    {3, "vips = [\"::1\"]", 3, "VIP ::1 is a loopback address"},
    {3, "vips = [\"ff02::1\"]", 3, "VIP ff02::1 is a multicast address; allowed: a unicast address"},
    {3, "vips = [\"fe80::1\"]", 3, "VIP fe80::1 is link-local: clients would have to name their interface"},
    {3, "vips = [\"2001:db8::/64\"]", 3, "is the subnet-router anycast address of its prefix"},
    {3, "vips = [\"2001:db8::1/129\"]", 3, "is not an address"},
    {3, "vips = [\"2001:db8::1/0\"]", 3, "is not an address"},
    {3, "vips = [\"::ffff:10.77.0.100\"]", 3, "is not an address"},
    {3, "vips = [\"fe80::1%eth0\"]", 3, "is not an address"},
    {3, "vips = [\"2001:db8::1\", \"2001:DB8:0::1/64\"]", 3, "VIP 2001:db8::1 is there twice"},
    {4, "mode = \"anycast\"", 4, "mode is \"anycast\"; allowed: \"unicast\", \"multicast\" or \"igmp\""},
    {4, "mode = \"multicast\"\nmac_strategy = \"add\"", 5, "mac_strategy goes only with mode \"unicast\""},
    {4, "mac_strategy = \"swap\"", 4, "mac_strategy is \"swap\"; allowed: \"auto\", \"add\" or \"replace\""},
    {5, "", 1, "key_file is missing in [cluster]; allowed: the path of a key file"},
    {5, "key_file = \"\"", 5, "key_file is empty"},
    {5, "key_file = \"k\"\nmax_hold_s = -1", 6, "max_hold_s is -1; allowed: 0.."},
    // [host]
    {7, "id = 0", 7, "id is 0; allowed: 1..64"},
    {7, "id = 65", 7, "id is 65; allowed: 1..64"},
    {7, "id = \"1\"", 7, "id must be a whole number, not the text \"1\"; allowed: 1..64"},
    {7, "id = 1.5", 7, "id must be a whole number, not a fraction"},
    {7, "", 6, "id is missing in [host]; allowed: 1..64"},
    {8, "", 6, "interface is missing in [host]"},
    {8, "interface = \"lo\"", 8, "interface is \"lo\""},
    {8, "interface = \"a/b\"", 8, "allowed: the name of a network interface"},
    {8, "interface = \"abcdefghijklmnop\"", 8, "1 to 15 characters"},
    {8, "interface = \"eth0\"\ninitial_state = \"running\"", 9,
     "initial_state is \"running\"; allowed: \"started\", \"stopped\" or \"suspended\""},
    {8, "interface = \"eth0\"\npersist = \"suspended\"", 9, "persist must be a list"},
    {8, "interface = \"eth0\"\npersist = [\"drained\"]", 9,
     "persist holds the text \"drained\"; allowed: a list of \"started\""},
    {8, "interface = \"eth0\"\npersist = [\"stopped\", \"stopped\"]", 9, "persist names \"stopped\" twice"},
    {8, "interface = \"eth0\"\non_unproven = true", 9,
     "on_unproven must be a text in quotes, not true; allowed: \"refuse\" or \"bind\""},
    {8, "interface = \"eth0\"\ndatapath = \"xdp\"", 9,
     "datapath is \"xdp\"; allowed: \"xdp-native\", \"xdp-generic\" or \"tc\""},
    {8, "interface = \"eth0\"\ndatapath = \"none\"", 9, "datapath is \"none\"; allowed: \"xdp-native\""},
    {8, "interface = \"eth0\"\nrestart_hold_s = 65536", 9, "restart_hold_s is 65536; allowed: 0..65535"},
    {8, "interface = \"eth0\"\nport = 1", 9, "unknown key \"port\" in [host]"},
    // [heartbeat]
    {10, "period_ms = 9", 10, "period_ms is 9; allowed: 10..10000"},
    {10, "period_ms = 10001", 10, "period_ms is 10001; allowed: 10..10000"},
    {10, "period_ms = 99999999999", 10, "period_ms is 99999999999; allowed: 10..10000"},
    {10, "tolerance = 2", 10, "tolerance is 2; allowed: 3..100"},
    {10, "tolerence = 10", 10, "unknown key \"tolerence\" in [heartbeat]; nearest known key: \"tolerance\""},
    // sections
    {1, "cluster = 7\n[claster]", 1, "cluster must be the section [cluster], not the number 7"},
    {9, "[hartbeat]", 9, "unknown key \"hartbeat\" in the file; nearest known key: \"heartbeat\""},
    {11, "[port_rule]", 11, "port_rule must be written as [[port_rule]], not as a table"},
    // [metrics]
    {9, "[metrics]\nlisten = \"9477\"\n[heartbeat]", 10, "listen is \"9477\"; allowed: \"ADDRESS:PORT\""},
    {9, "[metrics]\nlisten = \"127.0.0.1:80\"\n[heartbeat]", 10, "port 1024..65535"},
    {9, "[metrics]\nlisten = \"::1:9477\"\n[heartbeat]", 10, "\"[IPV6]:PORT\""},
    {9, "[metrics]\nlisten = \"10.77.0.100:9477\"\n[heartbeat]", 10, "listen is at a VIP"},
    {9, "[metrics]\nlistn = \"127.0.0.1:9477\"\n[heartbeat]", 10, "nearest known key: \"listen\""},
    // [[port_rule]]
    {12, "ports = 80", 12, "ports must be a text in quotes, not the number 80; allowed: \"N\" or \"N-M\""},
    {12, "ports = \"443-80\"", 12, "ports \"443-80\" is reversed; allowed: the lower port first, \"80-443\""},
    {12, "ports = \"80-\"", 12, "ports is \"80-\"; allowed: \"N\" or \"N-M\" with 0..65535"},
    {12, "ports = \"65536\"", 12, "ports is \"65536\""},
    {12, "ports = \"-1\"", 12, "ports is \"-1\""},
    {12, "ports = \"80, 443\"", 12, "ports is \"80, 443\""},
    {13, "protocol = \"sctp\"", 13, "protocol is \"sctp\"; allowed: \"tcp\", \"udp\" or \"both\""},
    {13, "vip = \"10.77.0.101\"", 13, "vip 10.77.0.101 is none of [cluster] vips"},
    {13, "vip = \"any\"", 13, "vip is \"any\"; allowed: \"all\" or one of [cluster] vips"},
    {13, "mode = \"several\"", 13, "mode is \"several\"; allowed: \"multiple\", \"single\" or \"disabled\""},
    {13, "mode = \"single\"\nweight = 50", 14,
     "weight does not go with mode \"single\"; allowed: only with mode \"multiple\""},
    {13, "mode = \"single\"\naffinity = \"none\"", 14, "affinity does not go with mode \"single\""},
    {13, "mode = \"disabled\"\ntimeout_s = 60", 14, "timeout_s does not go with mode \"disabled\""},
    {13, "priority = 1", 13,
     "priority does not go with mode \"multiple\"; allowed: only with mode \"single\""},
    {13, "mode = \"single\"\npriority = 65", 14, "priority is 65; allowed: 1..64"},
    {13, "affinity = \"client\"", 13, "affinity is \"client\"; allowed: \"none\", \"single\" or \"network\""},
    {13, "affinity = \"none\"\ntimeout_s = 60", 14, "timeout_s needs an affinity"},
    {13, "timeout_s = 14401", 13, "timeout_s is 14401; allowed: 0..14400"},
    {13, "weight = 101", 13, "weight is the number 101; allowed: \"equal\" or a number 0..100"},
    {13, "weight = \"50\"", 13, "weight is the text \"50\""},
    {13, "weigth = 50", 13, "unknown key \"weigth\" in [[port_rule]]; nearest known key: \"weight\""},
    {13, "protocol = \"tcp\"\n[[port_rule]]\nports = \"1-80\"", 14, "overlaps all:80-443 tcp of line 11"},
    {13, "protocol = \"tcp\"\n[[port_rule]]\nports = \"443-500\"", 14,
     "port rule all:443-500 tcp+udp overlaps all:80-443 tcp of line 11"},
    {13, "vip = \"10.77.0.100\"\n[[port_rule]]\nvip = \"10.77.0.100\"\nports = \"100\"", 14,
     "overlaps 10.77.0.100:80-443 tcp+udp of line 11"},
    // [[port_rule.health]]
    {13, "[[port_rule.health]]\ntarget = \"127.0.0.1:80\"", 13, "type is missing in [[port_rule.health]]"},
    {13, "[[port_rule.health]]\ntype = \"ping\"\ntarget = \"127.0.0.1:80\"", 14,
     "type is \"ping\"; allowed: \"tcp\", \"http\", \"https\" or \"exec\""},
    {13, "[[port_rule.health]]\ntype = \"tcp\"", 13, "target is missing"},
    {13, "[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"localhost\"", 15,
     "target is \"localhost\"; allowed: \"ADDRESS:PORT\""},
    {13, "[[port_rule.health]]\ntype = \"exec\"\ntarget = \"true\"", 15,
     "allowed: the absolute path of a program"},
    {13, "[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"\npath = \"/\"", 16,
     "path goes only with type \"http\""},
    {13, "[[port_rule.health]]\ntype = \"http\"\ntarget = \"127.0.0.1:80\"\npath = \"x\"", 16,
     "path is \"x\"; allowed: a path that begins"},
    {13, "[[port_rule.health]]\ntype = \"http\"\ntarget = \"127.0.0.1:80\"\nexpect_status = \"99\"", 16,
     "expect_status is \"99\""},
    {13,
     "[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"\ninterval_ms = 200\ntimeout_ms = 300",
     17, "longer than interval_ms 200"},
    {13, "[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"0.0.0.0:80\"", 15,
     "target is \"0.0.0.0:80\"; allowed: \"ADDRESS:PORT\""},
    {13, "[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"224.0.0.1:80\"", 15,
     "one of this host: loopback, its own or a VIP"},
    {13, "[[port_rule.health]]\ntype = \"https\"\ntarget = \"[ff02::1]:443\"", 15,
     "target is \"[ff02::1]:443\""},
    {13, "[[port_rule.health]]\ntype = \"http\"\ntarget = \"127.0.0.1:80\"\npath = \"/a b\"", 16,
     "allowed: a path that begins with \"/\", without blanks"},
    {13, "[[port_rule.health]]\ntype = \"http\"\ntarget = \"127.0.0.1:80\"\nhost = \"a b\"", 16,
     "host is \"a b\"; allowed: a host name: letters, digits"},
    {13, "[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"\nhost = \"a\"", 16,
     "host goes only with type \"http\" or \"https\""},
    {13, "[[port_rule.health]]\ntype = \"exec\"\ntarget = \"/bin/x\"\nexpect_status = \"200\"", 16,
     "expect_status goes only with type"},
    {13, "[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"\nflap_window_s = 86401", 16,
     "flap_window_s is 86401; allowed: 0..86400"},
    {13, "[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"\nfall = 0", 16,
     "fall is 0; allowed: 1..100"},
    {13, "[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"\nall_down = \"fail\"", 16,
     "all_down is \"fail\"; allowed: \"open\" or \"closed\""},
    {13, "[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"\nraise = 2", 16,
     "unknown key \"raise\" in [[port_rule.health]]; nearest known key: \"rise\""},
};

TEST(ConfigProblems, NameLineFaultAndWhatIsAllowed) {
  for (const auto& bad : kBadCases) {
    const auto text = good_with(bad.replaced, bad.replacement);
    const auto config = parse_config(text, "web.toml");
    ASSERT_FALSE(config.has_value()) << "accepted:\n" << text;
    const auto& problems = config.error();
    const bool said = std::any_of(problems.begin(), problems.end(), [&](const ConfigProblem& problem) {
      return problem.file == "web.toml" && problem.line == bad.line &&
             problem.message.find(bad.says) != std::string::npos;
    });
    EXPECT_TRUE(said) << "wanted web.toml:" << bad.line << ": ..." << bad.says << "...\ngot:\n"
                      << text_of(problems);
  }
}

// One fault, one complaint: follow-up complaints would hide the cause.
TEST(ConfigProblems, AreNotMultiplied) {
  for (const auto& bad : kBadCases) {
    const auto config = parse_config(good_with(bad.replaced, bad.replacement), "web.toml");
    ASSERT_FALSE(config.has_value());
    const bool two_faults =
        bad.replaced == 1 || bad.replaced == 9;  // a misspelt section is also a missing one
    EXPECT_LE(config.error().size(), two_faults ? 3u : 1u) << text_of(config.error());
  }
}

TEST(ConfigProblems, AreAllReportedInTheOrderOfLines) {
  const auto config =
      parse_config("[heartbeat]\nperiod_ms = 1\n[cluster]\nname = 1\nvips = []\nkey_file = \"k\"\n", "f");
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(text_of(config.error()),
            "f:2: period_ms is 1; allowed: 10..10000\n"
            "f:4: name must be a text in quotes, not the number 1; allowed: 1 to 32 letters, digits, \"-\" "
            "and \"_\"\n"
            "f:5: vips is empty; allowed: a list of 1 to 64 IPv4 or IPv6 addresses, each \"ADDRESS\" or "
            "\"ADDRESS/PREFIX\"\n"
            "f:6: section [host] is missing");
}

TEST(ConfigProblems, CountRulesAndVips) {
  std::ostringstream rules, vips;
  for (int i = 0; i < 65; ++i) rules << "\n[[port_rule]]\nports = \"" << 1000 + i << "\"";
  const auto many_rules = parse_config(good_with(13, rules.str()), "f");
  ASSERT_FALSE(many_rules.has_value());
  // The 65th rule: the first has its header in line 11, the 2nd in line 14, and each takes two lines.
  EXPECT_EQ(many_rules.error().at(0).line, 140);
  EXPECT_NE(many_rules.error().at(0).message.find("more than 64 port rules, this file has 66"),
            std::string::npos);

  for (int i = 1; i <= 65; ++i) vips << (i == 1 ? "" : ", ") << "\"10.77.0." << i << "\"";
  const auto many_vips = parse_config(good_with(3, "vips = [" + vips.str() + "]"), "f");
  ASSERT_FALSE(many_vips.has_value());
  EXPECT_EQ(
      many_vips.error().at(0).text(),
      "f:3: vips has 65 addresses; allowed: a list of 1 to 64 IPv4 or IPv6 addresses, each \"ADDRESS\" or "
      "\"ADDRESS/PREFIX\"");
}

TEST(ConfigProblems, IgmpNeedsAnIpv4VipFirst) {
  const auto with_vips = [](const std::string& vips) {
    std::string text = good_with(4, "mode = \"igmp\"");
    return parse_config(text.replace(text.find("\"10.77.0.100/24\""), 16, vips), "f");
  };
  const auto config = with_vips("\"2001:db8::1/64\"");
  ASSERT_FALSE(config.has_value());
  EXPECT_NE(text_of(config.error()).find("f:4: mode is \"igmp\", whose group 239.255.y.z"), std::string::npos)
      << text_of(config.error());
  EXPECT_TRUE(with_vips("\"10.77.0.100\", \"2001:db8::1\""));
}

TEST(ConfigProblems, AnIpv6VipIsAsGoodAsAnother) {
  const auto config = parse_config(
      good_with(3, "vips = [\"2001:db8::100/64\", \"10.77.0.100\"]") + "vip = \"2001:DB8:0::100\"\n", "f");
  ASSERT_TRUE(config.has_value()) << text_of(config.error());
  EXPECT_EQ(config->config.vips.front(), (Vip{*IpAddress::parse("2001:db8::100"), 64}));
  EXPECT_EQ(config->config.rules.front().vip, IpAddress::parse("2001:db8::100"));
}

TEST(ConfigProblems, TheUnchangedTextIsGood) {
  const auto config = parse_config(good_with(0, ""), "web.toml");
  EXPECT_TRUE(config.has_value()) << text_of(config.error());
}

}  // namespace
}  // namespace nlb
