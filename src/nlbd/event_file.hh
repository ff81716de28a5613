// SPDX-License-Identifier: Apache-2.0
// Events that outlive the daemon: STATE/events.jsonl, one JSON object a line, as `nlb events --json` prints
// it and with "log" and "sequence" besides. At kMaxEventFileBytes it becomes events.jsonl.1, whose
// predecessor goes; so the two hold between one and two such sizes. A line that a crash cut off is passed
// over.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb {

inline constexpr std::size_t kMaxEventFileBytes = 1024 * 1024;

struct KeptEvents {
  struct Event {
    uint64_t sequence = 0;
    nlohmann::json json;
  };
  std::string log;  // of the newest one
  std::vector<Event> events;
};

class EventFile {
 public:
  explicit EventFile(const std::string& directory) : path_(directory + "/events.jsonl") {}
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  // The newest `limit` of the newest log, oldest first. What cannot be read is not there.
  [[nodiscard]] KeptEvents read_back(std::size_t limit) const;
  [[nodiscard]] Result<void> append(const std::string& log, uint64_t sequence, nlohmann::json event);

 private:
  [[nodiscard]] Result<void> open();
  [[nodiscard]] Result<void> rotate();
  std::string path_;
  int fd_ = -1;
  std::size_t bytes_ = 0;
};

}  // namespace nlb
