// SPDX-License-Identifier: Apache-2.0
// What Prometheus reads: names, labels, escapes, states and histograms, byte for byte where it matters.
#include "metrics/exposition.hh"

#include <gtest/gtest.h>

namespace nlb {
namespace {

TEST(Exposition, WritesNameHelpTypeAndLabels) {
  Exposition metrics({{"cluster", "web"}, {"host", "2"}});
  metrics.add(Metric::rule_share, 0.25, {"all:80 tcp"});
  metrics.add(Metric::heartbeats_sent, 12345678901.0);
  const std::string expected =
      "# HELP opennlb_rule_share_ratio " + kind_of(Metric::rule_share).help +
      "\n# TYPE opennlb_rule_share_ratio gauge\n"
      "opennlb_rule_share_ratio{cluster=\"web\",host=\"2\",rule=\"all:80 tcp\"} 0.25\n"
      "# HELP opennlb_heartbeats_sent_total " +
      kind_of(Metric::heartbeats_sent).help +
      "\n# TYPE opennlb_heartbeats_sent_total counter\n"
      "opennlb_heartbeats_sent_total{cluster=\"web\",host=\"2\"} 12345678901\n";
  EXPECT_EQ(metrics.text(), expected);
}

TEST(Exposition, AMetricOfTheGuardHasNoLabelsOfAHost) {
  Exposition metrics({{"cluster", "web"}, {"host", "2"}});
  metrics.add(Metric::guard_in_force, 1);
  EXPECT_NE(metrics.text().find("\nopennlb_guard_in_force 1\n"), std::string::npos) << metrics.text();
}

TEST(Exposition, LabelValuesAreEscaped) {
  Exposition metrics;
  metrics.add(Metric::guard_frames, 1, {"tap\"0", "a\\b\nc", "transmit", "passed", "yes"});
  EXPECT_NE(metrics.text().find("{port=\"tap\\\"0\",vm=\"a\\\\b\\nc\",direction="), std::string::npos)
      << metrics.text();
}

TEST(Exposition, OfStatesOneIsSet) {
  Exposition metrics;
  const char* const states[] = {"up", "down"};
  metrics.add_states(Metric::rule_state, states, "down", {"default"});
  EXPECT_NE(metrics.text().find("{rule=\"default\",state=\"up\"} 0\n"), std::string::npos) << metrics.text();
  EXPECT_NE(metrics.text().find("{rule=\"default\",state=\"down\"} 1\n"), std::string::npos);
}

TEST(Exposition, AHistogramCountsUpToEachBound) {
  Distribution durations({0.1, 1});
  for (const double value : {0.05, 0.1, 0.7, 3.0}) durations.add(value);
  Exposition metrics;
  metrics.add(Metric::convergence, durations);
  const auto text = metrics.text();
  const std::string name = "opennlb_convergence_duration_seconds";
  for (const char* line : {"_bucket{le=\"0.1\"} 2\n", "_bucket{le=\"1\"} 3\n", "_bucket{le=\"+Inf\"} 4\n",
                           "_count 4\n", "_sum 3.85"})
    EXPECT_NE(text.find(name + line), std::string::npos) << line << text;
}

}  // namespace
}  // namespace nlb
