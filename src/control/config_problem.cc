// SPDX-License-Identifier: Apache-2.0
#include "control/config_problem.hh"

namespace nlb {

std::string ConfigProblem::text() const {
  return line > 0 ? file + ":" + std::to_string(line) + ": " + message : file + ": " + message;
}

std::string text_of(const std::vector<ConfigProblem>& problems) {
  std::string out;
  for (const auto& problem : problems) {
    if (!out.empty()) out += '\n';
    out += problem.text();
  }
  return out;
}

}  // namespace nlb
