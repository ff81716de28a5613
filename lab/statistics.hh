// SPDX-License-Identifier: Apache-2.0
// Small sums over measured values, for the clients' reports.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace nlb::lab {

// p50, p99 and the maximum; empty when nothing was measured.
[[nodiscard]] inline std::map<std::string, double> summary_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](std::size_t percent) { return values[(values.size() - 1) * percent / 100]; };
  return {{"p50", at(50)}, {"p99", at(99)}, {"max", values.back()}};
}

[[nodiscard]] inline std::string text_of(in_addr address) {
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &address, text, sizeof text);
  return text;
}

}  // namespace nlb::lab
