// SPDX-License-Identifier: Apache-2.0
// The interface's sysctls that a bound adapter needs, read and written below /proc/sys (which shows the
// network namespace of the caller). Private to src/linux.
#pragma once

#include <string>
#include <vector>

#include "base/result.hh"
#include "linux/adapter.hh"

namespace nlb::sysctl {

struct Setting {
  std::string path;  // below /proc/sys: "net/ipv4/conf/eth0/arp_announce"
  std::string value;
  bool operator==(const Setting&) const = default;
};

// Those of a plan; and all that any plan may set, for the way back.
[[nodiscard]] std::vector<Setting> wanted(const BindPlan& plan);
[[nodiscard]] std::vector<Setting> possible(const std::string& interface);
[[nodiscard]] Result<std::string> read(const std::string& path);
[[nodiscard]] Result<void> write(const Setting& setting);

}  // namespace nlb::sysctl
