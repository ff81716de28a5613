// SPDX-License-Identifier: Apache-2.0
#include "nlbd/event_log.hh"

#include <fmt/chrono.h>
#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

namespace nlb {
namespace {

constexpr std::size_t kRingSize = 1000;

struct Catalog {
  const char* name;
  int number;
  Severity severity;
  const char* remedy;
};
constexpr std::array kCatalog = {
#define NLB_EVENT_ROW(name, number, severity, remedy) Catalog{#name, number, Severity::severity, remedy},
    NLB_EVENTS(NLB_EVENT_ROW)
#undef NLB_EVENT_ROW
};

const char* name_of(Severity severity) {
  constexpr std::array names = {"info", "warning", "error"};
  return names[static_cast<std::size_t>(severity)];
}

std::string timestamp() {
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M}:{:%S}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                     now.time_since_epoch());
}

}  // namespace

struct EventLog::Event {
  uint64_t sequence;
  nlohmann::json json;
};

struct EventLog::Line {
  EventId id;
  std::string text, time;
};

EventLog::EventLog()
    : life_(fmt::format("{:x}", std::chrono::system_clock::now().time_since_epoch().count() & 0xffffffff)) {}
EventLog::~EventLog() = default;

void EventLog::add(EventId id, const std::string& text, std::map<std::string, std::string> fields) {
  const Catalog& entry = kCatalog[static_cast<std::size_t>(id)];
  nlohmann::json json = {{"time", timestamp()}, {"number", entry.number},
                         {"name", entry.name},  {"severity", name_of(entry.severity)},
                         {"text", text},        {"remedy", entry.remedy},
                         {"fields", fields}};
  const std::lock_guard lock(mutex_);
  ring_.push_back({++last_, std::move(json)});
  if (ring_.size() > kRingSize) ring_.pop_front();
  waiting_.push_back({id, text, ring_.back().json["time"]});
  if (waiting_.size() > kRingSize) waiting_.pop_front();
}

void EventLog::write_lines() {
  std::deque<Line> lines;
  {
    const std::lock_guard lock(mutex_);
    lines.swap(waiting_);
  }
  for (const Line& line : lines) {
    const Catalog& entry = kCatalog[static_cast<std::size_t>(line.id)];
    const auto level = entry.severity == Severity::error     ? spdlog::level::err
                       : entry.severity == Severity::warning ? spdlog::level::warn
                                                             : spdlog::level::info;
    spdlog::log(level, "{} {} {}: {}", line.time, entry.number, entry.name, line.text);
  }
}

nlohmann::json EventLog::since(const std::string& log, uint64_t after, bool has_after, uint64_t limit) const {
  const std::lock_guard lock(mutex_);
  if (has_after && log != life_) after = 0;
  const uint64_t oldest = ring_.empty() ? last_ + 1 : ring_.front().sequence;
  if (!has_after) after = last_ > limit ? last_ - limit : 0;
  nlohmann::json events = nlohmann::json::array();
  uint64_t given = after;
  for (const Event& event : ring_) {
    if (event.sequence <= after || events.size() >= limit) continue;
    events.push_back(event.json);
    given = event.sequence;
  }
  const uint64_t lost = has_after && after + 1 < oldest ? oldest - after - 1 : 0;
  return {{"log", life_}, {"last", events.empty() ? last_ : given}, {"lost", lost}, {"events", events}};
}

}  // namespace nlb
