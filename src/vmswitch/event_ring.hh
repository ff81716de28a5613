// SPDX-License-Identifier: Apache-2.0
// Violations as the kernel programs report them. What waits in the ring when a daemon dies is read by the
// next.
#pragma once

#include <nlb/abi/guard.h>

#include <memory>
#include <vector>

#include "base/result.hh"

struct ring_buffer;

namespace nlb::vmswitch {

class EventRing {
 public:
  [[nodiscard]] static Result<std::unique_ptr<EventRing>> open(int map);
  ~EventRing();
  EventRing(const EventRing&) = delete;
  EventRing& operator=(const EventRing&) = delete;

  [[nodiscard]] int fd() const;  // readable when something waits
  [[nodiscard]] std::vector<nlb_guard_event> read();

 private:
  EventRing() = default;
  static int take(void* ring, void* data, size_t bytes);
  ring_buffer* ring_ = nullptr;
  std::vector<nlb_guard_event> taken_;
};

}  // namespace nlb::vmswitch
