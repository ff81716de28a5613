// SPDX-License-Identifier: Apache-2.0
// Who has an address? Asked as the probes of RFC 5227 and RFC 4862 (sender address 0.0.0.0 or ::), which
// nobody caches.
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
// `nonce`: see nd_probe().
[[nodiscard]] Result<ArpAnswers> ask_neighbours(const std::string& interface, const MacAddress& sender,
                                                const MacAddress& nonce,
                                                const std::vector<IpAddress>& targets, int round_ms = 200);

}  // namespace nlb
