// SPDX-License-Identifier: Apache-2.0
// Changes by program, compared with what a person would have written, line by line.
#include "control/config_edit.hh"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "control/config_file.hh"

namespace nlb {
namespace {

using nlohmann::json;

const std::string kFile = R"(# The web cluster.
[cluster]
name     = "web"
vips     = ["10.77.0.100/24", "10.77.0.101"]  # the first one names the MAC
key_file = "web.key"

[host]
id        = 3      # of four
interface = "eth0"

# what the shop speaks
[[port_rule]]
ports    = "80-443"   # not 8080
protocol = "tcp"
weight   = "equal"    # see the plan of capacity
# the shop's health
[[port_rule.health]]
type = "tcp"
target = "127.0.0.1:80"

# echo, for monitoring
[[port_rule]]
ports    = "7007"
protocol = "udp"

# end of rules
)";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

void expect(const json& change, const std::string& wanted, const std::string& file = kFile) {
  const auto edited = edit_config(file, "web.toml", change);
  ASSERT_TRUE(edited.has_value()) << edited.error().message;
  EXPECT_EQ(*edited, wanted);
}

std::string refusal(const json& change, const std::string& file = kFile) {
  const auto edited = edit_config(file, "web.toml", change);
  EXPECT_FALSE(edited.has_value()) << *edited;
  return edited ? "" : edited.error().message;
}

TEST(ConfigEdit, AddsARuleBehindTheOthers) {
  expect(
      {{"op", "rule-add"}, {"rule", {{"ports", "8080"}, {"protocol", "tcp"}, {"weight", 30}}}},
      replaced(
          kFile, "ports    = \"7007\"\nprotocol = \"udp\"\n",
          "ports    = \"7007\"\nprotocol = \"udp\"\n\n[[port_rule]]\nports = \"8080\"\nprotocol = \"tcp\"\n"
          "weight = 30\n"));
}

TEST(ConfigEdit, SetsAKeyAndKeepsItsComment) {
  expect({{"op", "rule-set"}, {"select", {{"ports", "443"}}}, {"set", {{"weight", 30}}}},
         replaced(kFile, "\"equal\"    #", "30    #"));
  expect({{"op", "rule-set"}, {"select", {{"ports", "80-443"}}}, {"set", {{"affinity", "network"}}}},
         replaced(kFile, "of capacity\n", "of capacity\naffinity = \"network\"\n"));
}

TEST(ConfigEdit, TakesOutWhatAnotherModeHasNot) {
  expect({{"op", "rule-set"}, {"select", {{"ports", "80"}}}, {"set", {{"mode", "single"}, {"priority", 2}}}},
         replaced(kFile, "weight   = \"equal\"    # see the plan of capacity\n",
                  "mode = \"single\"\npriority = 2\n"));
}

TEST(ConfigEdit, RemovesARuleWithItsHealthCheckAndNoStrangersComment) {
  const auto begin = kFile.find("[[port_rule]]"), end = kFile.find("# echo");
  expect({{"op", "rule-remove"}, {"select", {{"ports", "80"}, {"protocol", "tcp"}}}},
         kFile.substr(0, begin) + "\n" + kFile.substr(end));
}

TEST(ConfigEdit, SetsWeights) {
  expect({{"op", "weight"}, {"weight", 10}},
         replaced(replaced(kFile, "\"equal\"    #", "10    #"), "\"udp\"\n", "\"udp\"\nweight = 10\n"));
  expect({{"op", "weight"}, {"weight", 10}, {"select", {{"ports", "7007"}}}},
         replaced(kFile, "\"udp\"\n", "\"udp\"\nweight = 10\n"));
}

TEST(ConfigEdit, ChangesVips) {
  expect({{"op", "vip-add"}, {"address", "10.77.0.102/24"}},
         replaced(kFile, "\"10.77.0.101\"]", "\"10.77.0.101\", \"10.77.0.102/24\"]"));
  expect({{"op", "vip-remove"}, {"address", "10.77.0.101"}}, replaced(kFile, ", \"10.77.0.101\"", ""));
  const std::string lines =
      "vips = [\n  \"10.77.0.100\", # one\n  \"10.77.0.101\", # two ] \"\n  '10.77.0.103'\n]";
  const std::string several = replaced(kFile, "vips     = [\"10.77.0.100/24\", \"10.77.0.101\"]", lines);
  expect({{"op", "vip-remove"}, {"address", "10.77.0.101"}}, replaced(several, "\"10.77.0.101\", ", ""),
         several);
  expect({{"op", "vip-add"}, {"address", "10.77.0.9"}},
         replaced(several, "'10.77.0.103'", "'10.77.0.103', \"10.77.0.9\""), several);
}

TEST(ConfigEdit, WritesTheDefaultRuleDownBeforeItChangesIt) {
  const std::string none = kFile.substr(0, kFile.find("# what the shop"));
  expect({{"op", "rule-set"},
          {"select", {{"ports", "80"}}},
          {"set", {{"ports", "80-443"}, {"protocol", "tcp"}}}},
         kFile.substr(0, kFile.find("\n# what the shop")) +
             "\n[[port_rule]]\nports = \"80-443\"\nprotocol = \"tcp\"\n",
         none);
  EXPECT_NE(refusal({{"op", "rule-add"}, {"rule", {{"ports", "80"}}}}, none).find("default rule"),
            std::string::npos);
}

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST(ConfigEdit, RefusesWhatIsNoConfigurationAndNamesIt) {
  EXPECT_TRUE(
      has(refusal({{"op", "rule-add"}, {"rule", {{"ports", "100-200"}, {"protocol", "tcp"}}}}), "overlaps"));
  EXPECT_TRUE(has(refusal({{"op", "rule-add"}, {"rule", {{"colour", "red"}}}}), "has no \"colour\""));
  EXPECT_TRUE(has(refusal({{"op", "rule-set"}, {"select", {{"ports", "80"}}}, {"set", {{"weight", 300}}}}),
                  "weight"));
  EXPECT_TRUE(has(refusal({{"op", "rule-remove"}, {"select", {{"ports", "9999"}}}}), "no port rule holds"));
  EXPECT_TRUE(has(refusal({{"op", "vip-remove"}, {"address", "10.77.0.100"}}), "primary"));
  EXPECT_TRUE(has(refusal({{"op", "vip-add"}, {"address", "10.77.0.101"}}), "already"));
  EXPECT_TRUE(has(refusal({{"op", "dance"}}), "unknown change"));
  EXPECT_TRUE(has(refusal({{"op", "rule-set"}, {"select", {{"ports", "80"}}}, {"set", {{"vip", "\n[x]"}}}}),
                  "characters"));
}

// Members of the cluster may ask for these changes: none of them may name a program.
TEST(ConfigEdit, WritesNoHealthCheck) {
  const json check = {{"type", "exec"}, {"target", "/bin/true"}};
  for (const json& health : {check, json::array({check}), json("[[port_rule.health]]")}) {
    EXPECT_TRUE(has(refusal({{"op", "rule-add"}, {"rule", {{"ports", "9"}, {"health", health}}}}),
                    "has no \"health\""));
    const json set = {{"op", "rule-set"}, {"select", {{"ports", "80"}}}, {"set", {{"health", health}}}};
    EXPECT_TRUE(has(refusal(set), "has no \"health\""));
  }
}

TEST(ConfigEdit, LeavesAloneWhatItDoesNotUnderstand) {
  const std::string inline_rules =
      kFile.substr(0, kFile.find("# what the shop")) +
      "port_rule = [{ports = \"1\", protocol = \"tcp\"}, {ports = \"2\", protocol = \"tcp\"}]\n";
  // [host] is open there: the file says something else than it seems to, and is refused as it is.
  EXPECT_FALSE(edit_config(inline_rules, "web.toml", {{"op", "weight"}, {"weight", 1}}).has_value());
  const std::string tables =
      "port_rule = [{ports = \"1\", weight = 3}]\n" + kFile.substr(0, kFile.find("# what the shop"));
  ASSERT_TRUE(parse_config(tables, "web.toml").has_value());
  EXPECT_NE(refusal({{"op", "weight"}, {"weight", 1}}, tables).size(), 0u);
}

}  // namespace
}  // namespace nlb
