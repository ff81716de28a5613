// SPDX-License-Identifier: Apache-2.0
#include "metrics/exposition.hh"

#include <prometheus/text_serializer.h>

#include <cassert>
#include <limits>
#include <sstream>

namespace nlb {
namespace {

prometheus::MetricType type_of(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return prometheus::MetricType::Counter;
    case MetricType::gauge:
      return prometheus::MetricType::Gauge;
    case MetricType::histogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

prometheus::ClientMetric::Histogram histogram_of(const Distribution& distribution) {
  prometheus::ClientMetric::Histogram histogram;
  histogram.sample_count = distribution.count();
  histogram.sample_sum = distribution.sum();
  for (std::size_t i = 0; i < distribution.bounds().size(); ++i)
    histogram.bucket.push_back({distribution.below()[i], distribution.bounds()[i]});
  histogram.bucket.push_back({distribution.count(), std::numeric_limits<double>::infinity()});
  return histogram;
}

}  // namespace

std::vector<Exposition::Label> Exposition::labels_of(Metric metric,
                                                     const std::vector<std::string>& values) const {
  const MetricKind& kind = kind_of(metric);
  assert(values.size() == kind.labels.size());
  std::vector<Label> labels;
  if (kind.program != MetricProgram::guard) labels = common_;
  for (std::size_t i = 0; i < values.size(); ++i) labels.emplace_back(kind.labels[i], values[i]);
  return labels;
}

void Exposition::add(Metric metric, double value, const std::vector<std::string>& label_values) {
  samples_[metric].push_back({labels_of(metric, label_values), value});
}

void Exposition::add(Metric metric, const Distribution& distribution) {
  samples_[metric].push_back({labels_of(metric, {}), 0, distribution});
}

void Exposition::add_states(Metric metric, std::span<const char* const> states, std::string_view is,
                            std::vector<std::string> label_values) {
  label_values.emplace_back();
  for (const char* state : states) {
    label_values.back() = state;
    add(metric, is == state ? 1 : 0, label_values);
  }
}

std::string Exposition::text() const {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& [metric, samples] : samples_) {
    const MetricKind& kind = kind_of(metric);
    auto& family = families.emplace_back();
    family.name = kind.name;
    family.help = kind.help;
    family.type = type_of(kind.type);
    for (const auto& sample : samples) {
      auto& line = family.metric.emplace_back();
      for (const auto& [name, value] : sample.labels) line.label.push_back({name, value});
      line.counter.value = line.gauge.value = sample.value;
      if (sample.distribution) line.histogram = histogram_of(*sample.distribution);
    }
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

}  // namespace nlb
