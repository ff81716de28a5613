// SPDX-License-Identifier: Apache-2.0
// One complaint about a file that a person wrote.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace nlb {

struct ConfigProblem {
  std::string file;
  int line = 0;  // 0 = the whole file
  std::string message;
  [[nodiscard]] std::string text() const;  // FILE:LINE: message
  bool operator==(const ConfigProblem&) const = default;
};

// One line a problem, no final newline.
[[nodiscard]] std::string text_of(const std::vector<ConfigProblem>& problems);

}  // namespace nlb
