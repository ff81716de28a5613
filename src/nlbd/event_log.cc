// SPDX-License-Identifier: Apache-2.0
#include "nlbd/event_log.hh"

#include <fmt/chrono.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "nlbd/event_file.hh"
#include "nlbd/event_journal.hh"

namespace nlb {
namespace {

constexpr std::size_t kRingSize = 1000;

EventPlace& place_of_process() {
  static EventPlace place;
  return place;
}

std::string timestamp() {
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M}:{:%S}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                     now.time_since_epoch());
}

}  // namespace

void set_event_place(EventPlace place) {
  place_of_process() = std::move(place);
}

struct EventLog::Event {
  uint64_t sequence;
  nlohmann::json json;
};

struct EventLog::Line {
  EventId id;
  uint64_t sequence;
  nlohmann::json json;
};

// A follower goes on over a restart: name and numbering of the file go on. The former daemon may have told
// events that it could not write any more, at most a ringful of them, so that many numbers are left out.
EventLog::EventLog()
    : place_(place_of_process()),
      life_(fmt::format("{:x}", std::chrono::system_clock::now().time_since_epoch().count() & 0xffffffff)) {
  if (place_.state_directory.empty()) return;
  file_ = std::make_unique<EventFile>(place_.state_directory);
  auto past = file_->read_back(kRingSize);
  if (past.events.empty()) return;
  life_ = past.log;
  for (auto& event : past.events) ring_.push_back({event.sequence, std::move(event.json)});
  last_ = ring_.back().sequence + kRingSize;
}
EventLog::~EventLog() = default;

void EventLog::add(EventId id, const std::string& text, std::map<std::string, std::string> fields) {
  const EventKind& kind = kind_of(id);
  std::string remedy = kind.remedy;
  if (const auto own = fields.find("remedy"); own != fields.end()) {
    if (!own->second.empty()) remedy = own->second;
    fields.erase(own);
  }
  nlohmann::json json = {{"time", timestamp()}, {"number", kind.number},
                         {"name", kind.name},   {"severity", name_of(kind.severity)},
                         {"text", text},        {"remedy", remedy},
                         {"fields", fields}};
  const std::lock_guard lock(mutex_);
  ++counts_[static_cast<std::size_t>(id)];
  ring_.push_back({++last_, std::move(json)});
  if (ring_.size() > kRingSize) ring_.pop_front();
  waiting_.push_back({id, last_, ring_.back().json});
  if (waiting_.size() > kRingSize) waiting_.pop_front();
}

std::array<uint64_t, kEventCount> EventLog::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void EventLog::write_lines() {
  std::deque<Line> lines;
  {
    const std::lock_guard lock(mutex_);
    lines.swap(waiting_);
  }
  for (const Line& line : lines) write_line(line);
}

void EventLog::write_line(const Line& line) {
  if (file_) {
    const auto written = file_->append(life_, line.sequence, line.json);
    const std::string trouble = written ? "" : written.error().message;
    if (!trouble.empty() && trouble != file_trouble_) spdlog::warn("event log: {}", trouble);
    file_trouble_ = trouble;
  }
  const EventKind& kind = kind_of(line.id);
  if (send_to_journal(kind, line.json, place_.cluster, place_.host) && stderr_is_journal()) return;
  const auto level = kind.severity == Severity::error     ? spdlog::level::err
                     : kind.severity == Severity::warning ? spdlog::level::warn
                                                          : spdlog::level::info;
  spdlog::log(level, "{} {} {}: {}", line.json["time"].get_ref<const std::string&>(), kind.number, kind.name,
              line.json["text"].get_ref<const std::string&>());
}

nlohmann::json EventLog::since(const std::string& log, uint64_t after, bool has_after, uint64_t limit) const {
  const std::lock_guard lock(mutex_);
  if (has_after && log != life_) after = 0;
  const uint64_t oldest = ring_.empty() ? last_ + 1 : ring_.front().sequence;
  auto event = ring_.begin();
  if (has_after)
    while (event != ring_.end() && event->sequence <= after) ++event;
  else if (ring_.size() > limit)
    event += static_cast<std::ptrdiff_t>(ring_.size() - limit);
  nlohmann::json events = nlohmann::json::array();
  uint64_t given = last_;
  for (; event != ring_.end() && events.size() < limit; ++event) {
    events.push_back(event->json);
    given = event->sequence;
  }
  const uint64_t lost = has_after && after + 1 < oldest ? oldest - after - 1 : 0;
  return {{"log", life_}, {"last", given}, {"lost", lost}, {"events", events}};
}

}  // namespace nlb
