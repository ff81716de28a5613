// SPDX-License-Identifier: Apache-2.0
// Looks at one target once a second, through all its members, and tells the browsers what it saw. What one
// host sees of the others comes every half second besides, so that a change is seen at once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "console/fleet.hh"
#include "console/history.hh"
#include "console/live.hh"

namespace nlb::console {

class Watch {
 public:
  Watch(std::shared_ptr<Target> target, Live& live);
  ~Watch();
  [[nodiscard]] const std::string& id() const { return target_->id(); }
  [[nodiscard]] std::string samples() const;  // a JSON array
  [[nodiscard]] nlohmann::json events(std::size_t count) const;

 private:
  void run(std::chrono::milliseconds pause, void (Watch::*look)());
  void note_trouble(const std::string& text);
  void look_quickly();
  void look_at_all();
  void look_at_switch();
  void read_events(const nlohmann::json& from, int host);
  void read_members_events(const nlohmann::json& answers);
  void publish(bool changed);
  [[nodiscard]] nlohmann::json answers_of_all(nlohmann::json request, std::string& trouble);

  const std::shared_ptr<Target> target_;
  Live& live_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  nlohmann::json view_;  // what one host says
  nlohmann::json rest_;  // what all say
  nlohmann::json told_;  // the last state that was published
  Rates rates_;
  EventLog events_;
  std::map<int, Cursor> cursors_;  // by host
  unsigned round_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace nlb::console
