// SPDX-License-Identifier: Apache-2.0
// What a person should be able to read later: numbered events in a ring, in a file that the next daemon reads
// back, and in the journal (else as lines on stderr).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "nlbd/event_list.hh"

namespace nlb {

class EventFile;

// Whose events these are, and where they are kept. A process runs one host, so it is said once, by main,
// before the first log is made; until then a log keeps its events in memory.
struct EventPlace {
  std::string cluster;
  int host = 0;
  std::string state_directory;  // "" = no file
};
void set_event_place(EventPlace place);

class EventLog {
 public:
  EventLog();  // of the place that was set; begins with what an earlier daemon left there
  // Never blocks on output: any thread may call it, the real-time one too. The line waits for write_lines().
  // A field "remedy" takes the place of the list's remedy (this platform's own words).
  void add(EventId id, const std::string& text, std::map<std::string, std::string> fields = {});
  // Writes what waits to file, journal and stderr. For the main thread: a stalled journal may stall it, and
  // nothing else.
  void write_lines();
  // The answer to `events` of docs/control.md, without the fields common to all answers.
  [[nodiscard]] nlohmann::json since(const std::string& log, uint64_t after, bool has_after,
                                     uint64_t limit) const;
  // How often each was added in this process, by EventId.
  [[nodiscard]] std::array<uint64_t, kEventCount> counts() const;

 private:
  struct Event;
  struct Line;
  void write_line(const Line& line);
  mutable std::mutex mutex_;
  EventPlace place_;
  std::string life_;  // names this life of the ring
  uint64_t last_ = 0;
  std::deque<Event> ring_;
  std::array<uint64_t, kEventCount> counts_{};
  std::deque<Line> waiting_;  // not written yet
  std::unique_ptr<EventFile> file_;
  std::string file_trouble_;  // said once, not twice a second

 public:
  ~EventLog();
};

}  // namespace nlb
