// SPDX-License-Identifier: Apache-2.0
// What the kernel programs hand over, record by record: violations, and parts of members' announcements. What
// waits in a ring when a daemon dies is read by the next.
#pragma once

#include <nlb/abi/guard.h>
#include <nlb/abi/steering.h>

#include <memory>
#include <vector>

#include "base/result.hh"

struct ring_buffer;

namespace nlb::vmswitch {

template <typename Record>
class KernelRing {
 public:
  [[nodiscard]] static Result<std::unique_ptr<KernelRing>> open(int map);
  ~KernelRing();
  KernelRing(const KernelRing&) = delete;
  KernelRing& operator=(const KernelRing&) = delete;

  [[nodiscard]] int fd() const;  // readable when something waits
  [[nodiscard]] std::vector<Record> read();

 private:
  KernelRing() = default;
  static int take(void* ring, void* data, size_t bytes);
  ring_buffer* ring_ = nullptr;
  std::vector<Record> taken_;
};

using EventRing = KernelRing<nlb_guard_event>;
using AnnouncementRing = KernelRing<nlb_steering_part>;

}  // namespace nlb::vmswitch
