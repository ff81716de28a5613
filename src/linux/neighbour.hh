// SPDX-License-Identifier: Apache-2.0
// The kernel's neighbour table of one interface.
#pragma once

#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb {

// Forgets the neighbours that the kernel is still asking for, or has given up. While a link is down,
// questions are lost; the kernel repeats one only a second later, and till then a host that is back could
// answer no client. How many were forgotten.
[[nodiscard]] Result<int> forget_unresolved_neighbours(const std::string& interface);

// IPv4 neighbours whose MAC the kernel knows, for asking somebody where there is neither gateway nor peer.
[[nodiscard]] Result<std::vector<IpAddress>> known_neighbours(const std::string& interface);

}  // namespace nlb
