// SPDX-License-Identifier: Apache-2.0
// The guard's nftables rules as data: what guard.cc writes into the kernel and looks for when it reads back.
// Private to src/linux.
#pragma once

#include <string>
#include <vector>

#include "linux/guard.hh"

namespace nlb::guard {

struct Chain {
  std::string family;  // inet, arp, netdev
  std::string name;
  std::string hook;  // "type filter hook … priority N; policy accept;" with the priority as a number
  bool has_set;      // the table has the set @vips
  std::vector<std::string> rules;
};

[[nodiscard]] std::string table_name(const std::string& interface);
[[nodiscard]] std::vector<Chain> chains(const GuardPlan& plan);
[[nodiscard]] std::vector<std::string> ipv4_texts(const std::vector<IpAddress>& vips);

}  // namespace nlb::guard
