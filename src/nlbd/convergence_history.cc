// SPDX-License-Identifier: Apache-2.0
#include "nlbd/convergence_history.hh"

#include <algorithm>

namespace nlb {
namespace {

void add_once(std::vector<std::string>& causes, const std::string& text) {
  if (causes.size() < ConvergenceHistory::kCauses &&
      std::find(causes.begin(), causes.end(), text) == causes.end())
    causes.push_back(text);
}

}  // namespace

void ConvergenceHistory::add_cause(const std::string& text, Nanos now, int64_t unix_ms) {
  const std::lock_guard lock(mutex_);
  if (now - waiting_since_ > kCauseLasts) waiting_.clear();
  if (waiting_.empty()) {
    waiting_since_ = now;
    waiting_since_ms_ = unix_ms;
  }
  add_once(waiting_, text);
}

void ConvergenceHistory::view_changed(uint32_t view, HostSet members, const std::string& text, Nanos now,
                                      int64_t unix_ms) {
  const std::lock_guard lock(mutex_);
  if (now - waiting_since_ > kCauseLasts) waiting_.clear();
  if (!under_way()) {
    ring_.emplace_back();
    if (ring_.size() > kEntries) ring_.pop_front();
    began_at_ = waiting_.empty() ? now : waiting_since_;
    ring_.back().time_ms = waiting_.empty() ? unix_ms : waiting_since_ms_;
  }
  Convergence& latest = ring_.back();
  latest.view = view;
  latest.members = members;
  for (const auto& cause : waiting_) add_once(latest.causes, cause);
  if (latest.causes.empty()) latest.causes.push_back(text);
  waiting_.clear();
  if (!takes_part_) finish_alone(now);
}

void ConvergenceHistory::converged(uint32_t view, HostSet members, Nanos now) {
  const std::lock_guard lock(mutex_);
  if (!under_way()) return;
  ring_.back().view = view;
  ring_.back().members = members;
  finish(now);
  durations_s_.add(static_cast<double>(now - began_at_) / static_cast<double>(kSecond));
}

void ConvergenceHistory::takes_part(bool does, Nanos now) {
  const std::lock_guard lock(mutex_);
  takes_part_ = does;
  if (!does) finish_alone(now);
}

void ConvergenceHistory::finish_alone(Nanos now) {
  if (!under_way()) return;
  ring_.back().members = 0;
  finish(now);
}

void ConvergenceHistory::finish(Nanos now) {
  ring_.back().duration_ms = (now - began_at_) / kMillisecond;
}

std::vector<Convergence> ConvergenceHistory::entries() const {
  const std::lock_guard lock(mutex_);
  return {ring_.begin(), ring_.end()};
}

uint64_t ConvergenceHistory::count() const {
  const std::lock_guard lock(mutex_);
  return durations_s_.count();
}

Distribution ConvergenceHistory::durations() const {
  const std::lock_guard lock(mutex_);
  return durations_s_;
}

}  // namespace nlb
