// SPDX-License-Identifier: Apache-2.0
// `nlb init`: the configuration of a first host, with comments, as a file that a person goes on with.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.hh"
#include "nlb/invocation.hh"

namespace nlb {

struct FirstConfig {
  std::string name, interface, mode, ports, key_file;
  std::vector<std::string> vips;
  int id = 1;
};
// The file's text. Ports "" = NLB's default rule, written down.
[[nodiscard]] std::string text_of(const FirstConfig& config);

[[nodiscard]] Result<nlohmann::json> init(const Invocation& invocation);

}  // namespace nlb
