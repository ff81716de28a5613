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
  std::vector<std::string> rules;
};

[[nodiscard]] std::string table_name(const std::string& interface);
[[nodiscard]] std::vector<Chain> chains(const GuardPlan& plan);
// Of one family: the elements of the set @vips (IPv4) or @vips6.
[[nodiscard]] std::vector<std::string> texts_of(const std::vector<IpAddress>& vips, bool v4);

}  // namespace nlb::guard
