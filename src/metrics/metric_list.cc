// SPDX-License-Identifier: Apache-2.0
#include "metrics/metric_list.hh"

#include <array>

namespace nlb {
namespace {

std::vector<std::string> parted(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::string labels_in_words(const MetricKind& kind) {
  std::string words = kind.program == MetricProgram::host ? "`cluster` `host`" : "";
  for (const auto& label : kind.labels) words += (words.empty() ? "`" : " `") + label + "`";
  return words;
}

std::string who(MetricProgram program) {
  constexpr std::array names = {"`nlbd`", "`nlb-vmswitch`", "both"};
  return names[static_cast<std::size_t>(program)];
}

}  // namespace

const std::vector<MetricKind>& metric_kinds() {
  static const std::vector<MetricKind> kinds = {
#define NLB_METRIC_KIND(identifier, name, type, program, labels, help) \
  {"opennlb_" name, MetricType::type, MetricProgram::program, parted(labels), help},
      NLB_METRICS(NLB_METRIC_KIND)
#undef NLB_METRIC_KIND
  };
  return kinds;
}

const MetricKind& kind_of(Metric metric) {
  return metric_kinds()[static_cast<std::size_t>(metric)];
}

std::string_view name_of(MetricType type) {
  constexpr std::array names = {"counter", "gauge", "histogram"};
  return names[static_cast<std::size_t>(type)];
}

std::string metrics_table() {
  std::string table = "| metric | type | of | labels | meaning |\n|---|---|---|---|---|\n";
  for (const auto& kind : metric_kinds())
    table += "| `" + kind.name + "` | " + std::string(name_of(kind.type)) + " | " + who(kind.program) +
             " | " + labels_in_words(kind) + " | " + kind.help + " |\n";
  return table;
}

}  // namespace nlb
