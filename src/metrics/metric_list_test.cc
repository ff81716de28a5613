// SPDX-License-Identifier: Apache-2.0
// The manual's table, the dashboard and the alert rules say what the one list of metrics says.
#include "metrics/metric_list.hh"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace nlb {
namespace {

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

TEST(MetricList, IsTheTableOfTheManual) {
  const std::string begin = "<!-- metrics -->\n", end = "<!-- /metrics -->";
  auto text = text_of(NLB_DOCUMENT);
  const auto from = text.find(begin), to = text.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const auto table = text.substr(from + begin.size(), to - from - begin.size());
  if (std::getenv("NLB_WRITE_METRICS") != nullptr)
    std::ofstream(NLB_DOCUMENT) << text.replace(from + begin.size(), table.size(), metrics_table());
  else
    EXPECT_EQ(table, metrics_table()) << "write it anew: NLB_WRITE_METRICS=1 build/tests/metric_list_test";
}

TEST(MetricList, NamesAreAsPrometheusWantsThem) {
  std::set<std::string> names;
  const std::regex word("[a-z][a-z0-9_]*[a-z0-9]");
  for (const auto& kind : metric_kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name << " is there twice";
    EXPECT_TRUE(std::regex_match(kind.name, word)) << kind.name;
    EXPECT_EQ(kind.name.ends_with("_total"), kind.type == MetricType::counter) << kind.name;
    EXPECT_EQ(kind.name.find("_ms"), std::string::npos) << kind.name << ": seconds";
    EXPECT_TRUE(kind.help.ends_with('.')) << kind.name;
    const std::set<std::string> labels(kind.labels.begin(), kind.labels.end());
    EXPECT_EQ(labels.size(), kind.labels.size()) << kind.name;
    for (const auto& label : labels) {
      EXPECT_TRUE(std::regex_match(label, word)) << label;
      EXPECT_FALSE(label == "cluster" || label == "host" || label == "le") << kind.name << " " << label;
    }
  }
}

// A name in a query that no program tells would be an empty picture, or an alert that never fires.
TEST(MetricList, DashboardAndAlertRulesAskForMetricsThatThereAre) {
  std::set<std::string> names;
  for (const auto& kind : metric_kinds()) {
    names.insert(kind.name);
    if (kind.type != MetricType::histogram) continue;
    for (const char* suffix : {"_bucket", "_sum", "_count"}) names.insert(kind.name + suffix);
  }
  const std::regex name("\\bopennlb_[a-z0-9_]+");
  for (const char* path : {NLB_DASHBOARD, NLB_ALERTS}) {
    const auto text = text_of(path);
    std::set<std::string> asked;
    for (std::sregex_iterator found(text.begin(), text.end(), name), end; found != end; ++found)
      asked.insert(found->str());
    EXPECT_GE(asked.size(), 8U) << path;
    for (const auto& one : asked) EXPECT_TRUE(names.contains(one)) << path << ": " << one << " is no metric";
  }
}

}  // namespace
}  // namespace nlb
