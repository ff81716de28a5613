// SPDX-License-Identifier: Apache-2.0
#include "console/watch.hh"

#include <exception>
#include <future>

namespace nlb::console {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;
constexpr int kTimeoutMs = 4000;

int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

double steady_s() {
  return std::chrono::duration<double>(steady_clock::now().time_since_epoch()).count();
}

// What each host says of the others and of the rules is asked of one alone: of 64 hosts and 64 rules it would
// be a megabyte a second for each browser.
Json without(Json answers, std::initializer_list<const char*> keys) {
  for (auto& entry : answers)
    for (const char* key : keys) entry.at("answer").erase(key);
  return answers;
}

}  // namespace

Watch::Watch(std::shared_ptr<Target> target, Live& live) : target_(std::move(target)), live_(live) {
  if (target_->kind() == Kind::cluster) {
    threads_.emplace_back([this] { run(milliseconds(500), &Watch::look_quickly); });
    threads_.emplace_back([this] { run(milliseconds(1000), &Watch::look_at_all); });
  } else {
    threads_.emplace_back([this] { run(milliseconds(1000), &Watch::look_at_switch); });
  }
}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Watch::run(milliseconds pause, void (Watch::*look)()) {
  std::unique_lock lock(mutex_);
  for (auto next = steady_clock::now(); !stopping_;) {
    lock.unlock();
    try {
      (this->*look)();
    } catch (const std::exception& error) {  // an answer of another shape, a thread that cannot be made
      note_trouble(std::string("what ") + target_->id() + " answers cannot be read: " + error.what());
    }
    lock.lock();
    next = std::max(next + pause, steady_clock::now());
    wake_.wait_until(lock, next, [this] { return stopping_; });
  }
}

// What was seen before stays; the page says why there is nothing newer.
void Watch::note_trouble(const std::string& text) {
  {
    const std::lock_guard lock(mutex_);
    rest_["trouble"] = text;
  }
  publish(false);
}

void Watch::look_quickly() {
  const auto query = target_->ask({{"command", "query"}}, kTimeoutMs);
  const auto rules = target_->ask({{"command", "queryport"}, {"port", "all"}}, kTimeoutMs);
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    const Json before = view_;
    view_ = query ? *query : Json{{"error", query.error().message}};
    view_["rules"] = rules ? rules->value("rules", Json::array()) : Json::array();
    const auto essence = [](const Json& view) {
      Json states = {view.value("state", ""), view.value("view", 0)};
      for (const auto& member : view.value("members", Json::array()))
        states.push_back({member.value("id", 0), member.value("state", "")});
      return states;
    };
    changed = before.is_null() || essence(before) != essence(view_);
  }
  if (changed) publish(true);
}

Json Watch::answers_of_all(Json request, std::string& trouble) {
  request["hosts"] = "all";
  const auto answer = target_->ask(request, kTimeoutMs);
  if (!answer) trouble = answer.error().message;
  return answer ? answer->value("answers", Json::array()) : Json::array();
}

void Watch::look_at_all() {
  const int64_t begun_ms = now_ms();
  const bool at_length = round_++ % 5 == 0;
  std::string trouble, ignored;
  const auto asked = [&](const char* command, std::string& reason) {
    return std::async(std::launch::async, [this, command, &reason] {
      // Hosts read their counters when they are asked; one that is silent only holds up the answer.
      const double asked_at = steady_s();
      return std::pair(answers_of_all({{"command", command}}, reason), asked_at);
    });
  };
  std::array<std::string, 4> troubles;
  auto queries = asked("query", troubles[0]);
  auto counters = asked("counters", troubles[1]);
  auto connections = asked("connections", troubles[2]);
  auto displays = at_length ? asked("display", troubles[3]) : decltype(queries)();
  const auto newest = answers_of_all({{"command", "events"}, {"limit", 1}}, ignored);
  Json rest = {{"queries", without(queries.get().first, {"members", "known", "kept", "health"})},
               {"connections", connections.get().first}};
  const auto [counted, at] = counters.get();
  rest["trouble"] = troubles[0];
  if (at_length) rest["displays"] = without(displays.get().first, {"port_rules"});
  const auto history = target_->ask({{"command", "history"}}, kTimeoutMs);
  if (history) rest["history"] = history->value("history", Json::array());
  Json sample;
  {
    const std::lock_guard lock(mutex_);
    sample = rates_.add(begun_ms, at, counted);
    for (const char* kept : {"displays", "history"})
      if (!rest.contains(kept)) rest[kept] = rest_.value(kept, Json::array());
    rest_ = std::move(rest);
  }
  read_members_events(newest);
  publish(false);
  sample["target"] = id();
  live_.pass("sample", sample);
}

void Watch::read_members_events(const Json& answers) {
  for (const auto& entry : answers) {
    const auto& answer = entry.at("answer");
    if (!answer.contains("last")) continue;
    const int host = entry.value("host", 0);
    Cursor cursor;
    {
      const std::lock_guard lock(mutex_);
      cursor = cursors_[host];
    }
    if (answer.value("log", "") == cursor.log && answer.value("last", uint64_t{0}) == cursor.after) continue;
    Json request = {{"command", "events"}, {"hosts", {host}}, {"limit", 100}};
    if (!cursor.log.empty()) request.update({{"log", cursor.log}, {"after", cursor.after}});
    if (const auto news = target_->ask(request, kTimeoutMs)) read_events(*news, host);
  }
}

void Watch::read_events(const Json& from, int host) {
  Json fresh = Json::array();
  {
    const std::lock_guard lock(mutex_);
    cursors_[host] = {from.value("log", ""), from.value("last", uint64_t{0})};
    for (auto event : from.value("events", Json::array())) {
      event["host"] = host;
      fresh.push_back(event);
      events_.add(std::move(event));
    }
  }
  if (!fresh.empty()) live_.pass("events", {{"target", id()}, {"events", fresh}});
}

void Watch::look_at_switch() {
  const auto show = target_->ask({{"command", "show"}}, kTimeoutMs);
  const auto clusters = target_->ask({{"command", "clusters"}}, kTimeoutMs);
  const auto violations = target_->ask({{"command", "violations"}}, kTimeoutMs);
  Cursor cursor;
  {
    const std::lock_guard lock(mutex_);
    view_ = show ? *show : Json{{"error", show.error().message}};
    view_["clusters"] = clusters ? clusters->value("clusters", Json::array()) : Json::array();
    view_["violations"] = violations ? violations->value("violations", Json::array()) : Json::array();
    cursor = cursors_[0];
  }
  Json request = {{"command", "events"}, {"limit", 100}};
  if (!cursor.log.empty()) request.update({{"log", cursor.log}, {"after", cursor.after}});
  const auto news = target_->ask(request, kTimeoutMs);
  if (news && (news->value("log", "") != cursor.log || news->value("last", uint64_t{0}) != cursor.after))
    read_events(*news, 0);
  publish(false);
}

void Watch::publish(bool changed) {
  Json state = target_->summary();
  {
    const std::lock_guard lock(mutex_);
    if (changed && rest_.is_null()) return;  // soon
    state["time_ms"] = now_ms();
    state["view"] = view_;
    state["all"] = rest_;
  }
  live_.state(id(), state);
}

std::string Watch::samples() const {
  const std::lock_guard lock(mutex_);
  return rates_.all();
}

Json Watch::events(std::size_t count) const {
  const std::lock_guard lock(mutex_);
  return events_.newest(count);
}

}  // namespace nlb::console
