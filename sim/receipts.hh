// SPDX-License-Identifier: Apache-2.0
// Which of a daemon's frames others have taken in, as far as an echo can tell: it names a frame by its
// number. A machine that is set back uses numbers twice, and who hears the echo of such a one cannot know
// which of the two frames arrived; its number counts for the later one, as it must for the daemon itself.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <unordered_map>

#include "base/limits.hh"
#include "base/net.hh"
#include "wire/heartbeat.hh"

namespace nlb::sim {

class Receipts {
 public:
  explicit Receipts(Nanos kept_for) : kept_for_(kept_for) {}

  // `local`: the sender's clock.
  void sent(const wire::Header& header, Nanos local) {
    auto& numbers = daemons_[header.incarnation].numbers;
    while (!numbers.empty() && numbers.back().number >= header.sequence) numbers.pop_back();
    numbers.push_back({header.sequence, local});
    while (local - numbers.front().sent > kept_for_) numbers.pop_front();
  }
  void judged(HostId by, const wire::Header& header) {
    const auto daemon = daemons_.find(header.incarnation);
    if (daemon == daemons_.end()) return;
    uint64_t& newest = daemon->second.newest[by];
    newest = std::max(newest, header.sequence);
  }
  // When the newest frame was sent that `by` has taken in, by the sender's clock; 0 = none.
  [[nodiscard]] Nanos newest(uint64_t incarnation, HostId by) const {
    const auto daemon = daemons_.find(incarnation);
    if (daemon == daemons_.end() || daemon->second.newest[by] == 0) return 0;
    const auto& numbers = daemon->second.numbers;
    const auto after = std::ranges::upper_bound(numbers, daemon->second.newest[by], {}, &Sent::number);
    return after == numbers.begin() ? 0 : std::prev(after)->sent;
  }

 private:
  struct Sent {
    uint64_t number = 0;
    Nanos sent = 0;
  };
  struct Daemon {
    std::deque<Sent> numbers;                      // ascending, sent within `kept_for_`
    std::array<uint64_t, kMaxHosts + 1> newest{};  // by the listener's id: what it has judged
  };
  std::unordered_map<uint64_t, Daemon> daemons_;  // by incarnation
  Nanos kept_for_;
};

}  // namespace nlb::sim
