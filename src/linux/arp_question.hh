// SPDX-License-Identifier: Apache-2.0
// Who has an address? Asked as RFC 5227 probes (sender address 0.0.0.0), which nobody caches.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb {

using ArpAnswers = std::map<IpAddress, std::set<MacAddress>>;
// Asks for all at once, three times, and waits `round_ms` after each: a second answer is a conflict, too.
[[nodiscard]] Result<ArpAnswers> ask_by_arp(const std::string& interface, const MacAddress& sender,
                                            const std::vector<IpAddress>& targets, int round_ms = 200);

}  // namespace nlb
