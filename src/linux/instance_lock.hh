// SPDX-License-Identifier: Apache-2.0
// One daemon per interface. A lock file is not enough, because two runtime directories make two files; an
// abstract AF_UNIX name belongs to the network namespace, exactly as the interface does, and goes with its
// process.
#pragma once

#include <string>

#include "base/result.hh"

namespace nlb {

class InstanceLock {
 public:
  // Fails at once when another process (or this one) holds the interface.
  [[nodiscard]] static Result<InstanceLock> take(const std::string& interface);
  InstanceLock(InstanceLock&& other) noexcept;
  InstanceLock& operator=(InstanceLock&& other) noexcept;
  ~InstanceLock();

 private:
  explicit InstanceLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace nlb
