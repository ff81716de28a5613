// SPDX-License-Identifier: Apache-2.0
// One scrape: samples are added, text in Prometheus' format comes out. The serializer's headers stay in
// exposition.cc.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/distribution.hh"
#include "metrics/metric_list.hh"

namespace nlb {

class Exposition {
 public:
  using Label = std::pair<std::string, std::string>;
  // `common` labels stand on each sample of a metric that is a host's alone.
  explicit Exposition(std::vector<Label> common = {}) : common_(std::move(common)) {}

  // As many label values as the list has labels for the metric, in its order.
  void add(Metric metric, double value, const std::vector<std::string>& label_values = {});
  void add(Metric metric, const Distribution& distribution);
  // For metrics whose last label is a state: 1 for the one that is, 0 for the others.
  void add_states(Metric metric, std::span<const char* const> states, std::string_view is,
                  std::vector<std::string> label_values = {});

  [[nodiscard]] std::string text() const;
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct Sample {
    std::vector<Label> labels;
    double value = 0;
    std::optional<Distribution> distribution = std::nullopt;
  };
  [[nodiscard]] std::vector<Label> labels_of(Metric metric, const std::vector<std::string>& values) const;

  std::vector<Label> common_;
  std::map<Metric, std::vector<Sample>> samples_;
};

}  // namespace nlb
