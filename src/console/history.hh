// SPDX-License-Identifier: Apache-2.0
// Figures over time, bounded: ten minutes of seconds, and a thousand events of all hosts together. What is
// only kept to be told again is kept as text: a tree of JSON takes twenty times as much (64 hosts: 100 MiB).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace nlb::console {

// What the counters of one host said, and when.
struct Reading {
  double at_s = 0;
  std::map<std::string, uint64_t> counts;
};

// Rates between two readings of each host. A counter that went back began anew: no rate then.
class Rates {
 public:
  static constexpr std::size_t kMost = 600;
  // {"time_ms":…, "hosts":{"1":{"opens":12.0,"accepted":…,"dropped":…,"verdicts":{"foreign":…}}}}
  nlohmann::json add(int64_t time_ms, double at_s, const nlohmann::json& answers);
  // A JSON array; verdicts in its newest sample alone.
  [[nodiscard]] std::string all() const;

 private:
  std::map<int, Reading> last_;
  std::deque<std::string> samples_;  // without verdicts
  std::string newest_;
};

// The newest events, oldest first, each with the host that told of it.
class EventLog {
 public:
  static constexpr std::size_t kMost = 1000;
  void add(nlohmann::json event);
  [[nodiscard]] nlohmann::json newest(std::size_t count) const;

 private:
  std::deque<nlohmann::json> events_;
};

// Where the events of one daemon were read to.
struct Cursor {
  std::string log;
  uint64_t after = 0;
};

}  // namespace nlb::console
