// SPDX-License-Identifier: Apache-2.0
// An eventfd: one thread writes, another one's loop wakes.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace nlb {

class EventDescriptor {
 public:
  EventDescriptor() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  EventDescriptor(const EventDescriptor&) = delete;
  EventDescriptor& operator=(const EventDescriptor&) = delete;
  ~EventDescriptor() { close(fd_); }
  [[nodiscard]] int get() const { return fd_; }
  void drain() const {
    uint64_t count = 0;
    [[maybe_unused]] const auto read_bytes = read(fd_, &count, sizeof count);
  }

 private:
  int fd_;
};

}  // namespace nlb
