// SPDX-License-Identifier: Apache-2.0
// What a change causes, against a list written by hand; and whether every key that can be changed is
// described as the parser takes it.
#include "control/change_effect.hh"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "control/config_edit.hh"
#include "control/config_file.hh"
#include "control/config_json.hh"

namespace nlb {
namespace {

using nlohmann::json;

std::string file_with(const std::string& rule) {
  return "[cluster]\nname = \"web\"\nvips = [\"192.0.2.1\"]\nkey_file = \"k\"\n[host]\nid = 1\n"
         "interface = \"eth0\"\n[[port_rule]]\nports = \"80\"\n" +
         rule;
}

Config parsed(const std::string& text) {
  auto config = parse_config(text, "/etc/opennlb/web.toml");
  EXPECT_TRUE(config) << (config ? "" : config.error().front().text());
  return config ? config->config : Config{};
}

// Through the file's text, as a change comes about.
std::string effect_of(const std::string& rule, const json& change) {
  const auto text = edit_config(file_with(rule), "/etc/opennlb/web.toml", change);
  EXPECT_TRUE(text) << text.error().message;
  return text ? name_of(change_effect(parsed(file_with(rule)), parsed(*text))) : "";
}

json set(const json& keys) {
  return {{"op", "rule-set"}, {"select", {{"ports", "80"}}}, {"set", keys}};
}

TEST(ChangeEffect, OfEachChangeThatTheCommandsOffer) {
  const std::string single = "mode = \"single\"\npriority = 1\n";
  EXPECT_EQ(effect_of("", set({{"weight", 30}})), "live");
  EXPECT_EQ(effect_of("", {{"op", "weight"}, {"weight", 0}}), "live");
  EXPECT_EQ(effect_of(single, set({{"priority", 2}})), "live");
  for (const json& keys : {json{{"vip", "192.0.2.1"}}, json{{"ports", "81"}}, json{{"protocol", "tcp"}},
                           json{{"mode", "disabled"}}, json{{"affinity", "none"}}, json{{"timeout_s", 60}},
                           json{{"weight", 30}, {"affinity", "network"}}})
    EXPECT_EQ(effect_of("", set(keys)), "convergence") << keys;
  EXPECT_EQ(effect_of("", {{"op", "rule-add"}, {"rule", {{"ports", "443"}}}}), "convergence");
  EXPECT_EQ(effect_of("", {{"op", "vip-add"}, {"address", "192.0.2.2"}}), "rebind");
}

TEST(ChangeFields, DescribeEachKeyOfARule) {
  std::set<std::string> described, known;
  const json fields = change_fields();
  for (const json& field : fields["rule"]) {
    described.insert(field["key"]);
    EXPECT_EQ(field["effect"],
              field["key"] == "weight" || field["key"] == "priority" ? "live" : "convergence")
        << field;
  }
  for (const auto mode : {FilteringMode::multiple, FilteringMode::single}) {
    PortRule rule;
    rule.mode = mode;
    const json shown = to_json(rule, 0);
    for (const auto& [key, value] : shown.items())
      if (key != "slot") known.insert(key);
  }
  EXPECT_EQ(described, known);
  EXPECT_EQ(fields["rules"]["effect"], "convergence");
  EXPECT_EQ(fields["vips"]["effect"], "rebind");
}

// Least, most and each choice are taken; what lies beyond is not.
TEST(ChangeFields, AllowWhatTheParserTakes) {
  const auto is_taken = [](const json& field, const json& value) {
    const std::string mode = field.contains("modes") ? field["modes"][0] : json("multiple");
    const auto rule = field["key"] == "mode" ? "" : "mode = \"" + mode + "\"\n";
    return edit_config(file_with(rule), "x", set({{field["key"], value}})).has_value();
  };
  const json fields = change_fields();
  for (const json& field : fields["rule"]) {
    for (const json& value : field.value("choices", json::array())) EXPECT_TRUE(is_taken(field, value));
    if (!field.contains("least")) continue;
    const int least = field["least"], most = field["most"];
    EXPECT_TRUE(is_taken(field, least) && is_taken(field, most)) << field;
    EXPECT_FALSE(is_taken(field, least - 1) || is_taken(field, most + 1)) << field;
  }
}

}  // namespace
}  // namespace nlb
