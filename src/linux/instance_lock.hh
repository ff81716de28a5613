// SPDX-License-Identifier: Apache-2.0
// One daemon per interface, per cluster name and per runtime directory. For the first two a lock file is not
// enough, because two runtime directories make two files; an abstract AF_UNIX name belongs to the network
// namespace, exactly as the interface does, and goes with its process. The directory has pins and socket in
// it, whatever namespace its daemon is in.
#pragma once

#include <string>

#include "base/result.hh"

namespace nlb {

class InstanceLock {
 public:
  // Each fails, with who is in the way, when another process (or this one) holds it; one that was killed has
  // a second to go.
  [[nodiscard]] static Result<InstanceLock> take(const std::string& interface);
  [[nodiscard]] static Result<InstanceLock> take_cluster(const std::string& name);
  [[nodiscard]] static Result<InstanceLock> take_directory(const std::string& runtime_directory);
  InstanceLock(InstanceLock&& other) noexcept;
  InstanceLock& operator=(InstanceLock&& other) noexcept;
  ~InstanceLock();

 private:
  explicit InstanceLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace nlb
