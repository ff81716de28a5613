// SPDX-License-Identifier: Apache-2.0
// What `nlb top` shows, as figures: made of a few answers of the daemon (docs/control.md), the rates of two
// rounds of them. Pure: answers and times in.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace nlb {

struct TopAnswers {
  double at_s = 0;  // when they came, on a clock that only goes forward
  // Of all members ({"answers":[…]}), or of the one that was asked.
  nlohmann::json query, connections, counters;
  nlohmann::json queryport;  // of one host: it knows the shares of all
};

struct TopHost {
  int id = 0;
  std::string name, state;
  bool is_default = false, answers = false;
  double share = 0;  // of the buckets of all rules that are spread
  std::optional<int64_t> connections;
  std::optional<double> accepted_pps, dropped_pps;
  std::optional<int64_t> silent_ms;  // as the asked host hears it; nullopt: itself, or no member
};

struct TopRule {
  std::string rule, mode, affinity;
  std::map<int, double> shares;  // by host
  int64_t connections = 0, held = 0;
  bool here_only = false;  // connections of one host, as others were not asked
};

struct TopFigures {
  std::string cluster;
  int seen_from = 0;
  int64_t view = 0;
  std::vector<TopHost> hosts;  // ascending by id
  std::vector<TopRule> rules;
  std::string trouble;  // hosts that did not answer, in words
};

// `before` is the round before, for rates; none yet: {}.
[[nodiscard]] TopFigures top_figures(const TopAnswers& now, const TopAnswers& before);

}  // namespace nlb
