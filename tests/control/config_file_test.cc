// SPDX-License-Identifier: Apache-2.0
// Good configurations, and the way from a file with its key file to a Config.
#include "control/config_file.hh"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "control/config_json.hh"

namespace nlb {
namespace {

constexpr const char* kSmall =
    "[cluster]\nname = \"web\"\nvips = [\"10.77.0.100\"]\nkey_file = \"web.key\"\n[host]\nid = 3\ninterface "
    "= \"eth0\"\n";

constexpr const char* kFull = R"([cluster]
name         = "web-1_A"
vips         = ["10.77.0.100/24", "10.77.0.101"]
mode         = "unicast"
mac_strategy = "replace"
key_file     = "/etc/opennlb/web.key"
max_hold_s   = 60
[host]
id            = 64
interface     = "eth0"
initial_state = "suspended"
persist       = ["stopped", "suspended"]
on_unproven   = "bind"
prove_path    = false
datapath      = "tc"
restart_hold_s = 0
[heartbeat]
period_ms = 10
tolerance = 3
[[port_rule]]
vip = "10.77.0.101"
ports = "80-443"
protocol = "tcp"
mode = "multiple"
affinity = "network"
weight = 0
timeout_s = 14400
[[port_rule.health]]
type = "https"
target = "[::1]:443"
path = "/ready"
expect_status = "200-204"
expect_body = "ok"
interval_ms = 500
timeout_ms = 500
fall = 1
rise = 1
on_failure = "host"
all_down = "open"
host = "shop.example"
flap_window_s = 0
[[port_rule]]
ports = "80"
mode = "single"
priority = 64
[[port_rule]]
ports = "0-79"
mode = "disabled"
)";

TEST(ConfigFile, FillsInDefaultsAndTheDefaultRule) {
  const auto parsed = parse_config(kSmall, "/etc/opennlb/web.toml");
  ASSERT_TRUE(parsed.has_value()) << text_of(parsed.error());
  const Config& config = parsed->config;
  EXPECT_EQ(config.key_file, "/etc/opennlb/web.key") << "a relative path is relative to the configuration";
  EXPECT_EQ(config.mode, ClusterMode::unicast);
  EXPECT_EQ(config.mac_strategy, MacStrategy::automatic);
  EXPECT_EQ(config.persist, std::vector{InitialState::suspended});
  EXPECT_EQ(config.on_unproven, OnUnproven::refuse);
  EXPECT_EQ(config.datapath, DatapathKind::xdp_native);
  EXPECT_TRUE(config.prove_path);
  EXPECT_EQ(config.restart_hold_s, 10u);
  EXPECT_EQ(config.period_ms, 50u);
  EXPECT_EQ(config.tolerance, 10u);
  ASSERT_EQ(config.rules.size(), 1u);
  EXPECT_EQ(config.rules[0], PortRule{});
  EXPECT_EQ(rule_text(config.rules[0]), "all:0-65535 tcp+udp");
}

TEST(ConfigFile, ReadsEveryKey) {
  const auto parsed = parse_config(kFull, "f");
  ASSERT_TRUE(parsed.has_value()) << text_of(parsed.error());
  const Config& config = parsed->config;
  EXPECT_EQ(config.name, "web-1_A");
  ASSERT_EQ(config.vips.size(), 2u);
  EXPECT_EQ(config.vips[0].prefix_length, 24);
  EXPECT_EQ(config.vips[1].prefix_length, std::nullopt);
  EXPECT_EQ(config.mac_strategy, MacStrategy::replace);
  EXPECT_EQ(config.max_hold_s, 60u);
  EXPECT_EQ(config.id, 64);
  EXPECT_EQ(config.initial_state, InitialState::suspended);
  EXPECT_EQ(config.persist, (std::vector{InitialState::stopped, InitialState::suspended}));
  EXPECT_EQ(config.on_unproven, OnUnproven::bind);
  EXPECT_EQ(config.datapath, DatapathKind::tc);
  EXPECT_FALSE(config.prove_path);
  EXPECT_EQ(config.restart_hold_s, 0u);
  EXPECT_EQ(config.period_ms, 10u);
  EXPECT_EQ(config.tolerance, 3u);
  ASSERT_EQ(config.rules.size(), 3u);
  const PortRule first{IpAddress::parse("10.77.0.101"),
                       80,
                       443,
                       RuleProtocol::tcp,
                       FilteringMode::multiple,
                       Affinity::network,
                       uint8_t{0},
                       1,
                       14400};
  EXPECT_EQ(config.rules[0], first);
  EXPECT_EQ(config.rules[1].handling_priority, 64);
  EXPECT_EQ(config.rules[2].mode, FilteringMode::disabled);
  ASSERT_EQ(parsed->config.health_checks.size(), 1u);
  const HealthCheck check{
      0, HealthType::https,     "[::1]:443",   "/ready",       200, 204, "ok", 500, 500, 1,
      1, OnHealthFailure::host, AllDown::open, "shop.example", 0};
  EXPECT_EQ(parsed->config.health_checks[0], check);
}

// Slots are numbered by the common order, and a check goes with its rule.
TEST(ConfigFile, AHealthCheckGoesWithItsRuleIntoTheCommonOrder) {
  const auto check = [](const char* port) {
    return std::string("[[port_rule.health]]\ntype = \"tcp\"\ntarget = \"127.0.0.1:") + port + "\"\n";
  };
  const std::string text = std::string(kSmall) + "[[port_rule]]\nports = \"443\"\n" + check("443") +
                           "[[port_rule]]\nports = \"80\"\n" + check("80") + check("81");
  const auto parsed = parse_config(text, "f");
  ASSERT_TRUE(parsed.has_value()) << text_of(parsed.error());
  const Config config = in_common_order(parsed->config);
  ASSERT_EQ(config.health_checks.size(), 3u);
  for (const HealthCheck& one : config.health_checks) {
    const auto port = config.rules[one.rule_index].first_port;
    EXPECT_EQ(port, one.target == "127.0.0.1:443" ? 443 : 80) << one.target;
  }
}

TEST(ConfigFile, LetsARuleForOneVipStandBesideARuleForAll) {
  const std::string text =
      std::string(kSmall) +
      "[[port_rule]]\nports = \"80\"\n[[port_rule]]\nvip = \"10.77.0.100\"\nports = \"80\"\n";
  EXPECT_TRUE(parse_config(text, "f").has_value());
  const std::string apart = std::string(kSmall) +
                            "[[port_rule]]\nports = \"53\"\nprotocol = \"tcp\"\n[[port_rule]]\nports = "
                            "\"53\"\nprotocol = \"udp\"\n";
  EXPECT_TRUE(parse_config(apart, "f").has_value()) << "tcp and udp do not overlap";
}

TEST(ConfigFile, TakesMacStrategyAutoInEveryMode) {
  std::string text = kSmall;
  text.insert(text.find("key_file"), "mode = \"igmp\"\nmac_strategy = \"auto\"\n");
  EXPECT_TRUE(parse_config(text, "f").has_value());
}

TEST(ConfigFile, MetricsAreOffUnlessSomewhere) {
  const auto listens = [](const std::string& section) {
    const auto parsed = parse_config(std::string(kSmall) + section, "f");
    EXPECT_TRUE(parsed.has_value()) << section;
    return parsed->config;
  };
  EXPECT_FALSE(listens("").metrics_listen);
  EXPECT_FALSE(listens("[metrics]\n").metrics_listen);
  for (const char* listen : {"127.0.0.1:9477", "[::1]:1024", "10.77.0.11:65535"}) {
    const auto config = listens("[metrics]\nlisten = \"" + std::string(listen) + "\"\n");
    ASSERT_TRUE(config.metrics_listen) << listen;
    EXPECT_EQ(config.metrics_listen->text(), listen);
    EXPECT_EQ(to_json(config)["metrics"]["listen"], listen);
  }
}

TEST(ConfigJson, HasTheKeysOfTheFileThatApply) {
  const auto parsed = parse_config(kFull, "f");
  ASSERT_TRUE(parsed.has_value());
  const auto json = to_json(parsed->config);
  EXPECT_EQ(json["cluster"]["vips"], (nlohmann::json{"10.77.0.100/24", "10.77.0.101"}));
  EXPECT_EQ(json["port_rules"][0],
            nlohmann::json::parse(R"({"slot":0,"vip":"10.77.0.101","ports":"80-443","protocol":"tcp",
      "mode":"multiple","affinity":"network","weight":0,"timeout_s":14400,"health":[{"type":"https",
      "target":"[::1]:443","path":"/ready","expect_status":"200-204","expect_body":"ok","host":"shop.example",
      "interval_ms":500,"timeout_ms":500,"fall":1,"rise":1,"flap_window_s":0,"on_failure":"host",
      "all_down":"open"}]})"));
  EXPECT_EQ(json["port_rules"][1],
            nlohmann::json::parse(
                R"({"slot":1,"vip":"all","ports":"80","protocol":"both","mode":"single","priority":64})"));
  EXPECT_EQ(json["port_rules"][2].contains("weight"), false);
  EXPECT_EQ(rule_text(parsed->config, kDefaultSlot), "default");
  EXPECT_EQ(rule_text(parsed->config, kEchoSlot), "echo");
}

class ConfigOnDisk : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "nlb-config-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    write("web.toml", kSmall);
    ASSERT_TRUE(write_new_keys(path("web.key")).has_value());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
  [[nodiscard]] std::string problems() const {
    const auto config = read_config(path("web.toml"));
    return config ? "" : text_of(config.error());
  }
  std::string directory_;
};

TEST_F(ConfigOnDisk, IsReadWithItsKeys) {
  const auto config = read_config(path("web.toml"));
  ASSERT_TRUE(config.has_value()) << text_of(config.error());
  EXPECT_EQ(config->keys.keys.size(), 1u);
  EXPECT_EQ(config->file, path("web.toml"));
}

TEST_F(ConfigOnDisk, SaysWhatIsWrongWithTheKeyFileAtTheLineThatNamesIt) {
  ::chmod(path("web.key").c_str(), 0644);
  EXPECT_EQ(problems(), path("web.toml") + ":4: key_file " + path("web.key") +
                            ": mode 0644 lets others read the secret; allowed: 0600 or 0400 (chmod 600)");
  std::filesystem::remove(path("web.key"));
  EXPECT_EQ(problems(), path("web.toml") + ":4: key_file " + path("web.key") +
                            ": cannot be read: No such file or directory");
}

TEST_F(ConfigOnDisk, ReportsBothFilesInOneRun) {
  write("web.toml", std::string(kSmall) + "[heartbeat]\ntolerance = 1\n");
  write("web.key", "seed 0123\n");
  const auto text = problems();
  EXPECT_NE(text.find("web.toml:9: tolerance is 1"), std::string::npos) << text;
  EXPECT_NE(text.find("web.key:1: a seed must be 32 hex digits"), std::string::npos) << text;
}

TEST_F(ConfigOnDisk, RefusesWhatIsNoFile) {
  EXPECT_NE(text_of(read_config(directory_).error()).find("is a directory"), std::string::npos);
  EXPECT_NE(text_of(read_config(path("no.toml")).error()).find("no.toml: cannot be read: No such file"),
            std::string::npos);
}

}  // namespace
}  // namespace nlb
