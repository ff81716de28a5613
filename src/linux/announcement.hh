// SPDX-License-Identifier: Apache-2.0
// Gratuitous ARP and unsolicited advertisements: tells neighbours which MAC a dedicated address is bound to
// now. Private to src/linux.
#pragma once

#include <string>
#include <vector>

#include "base/net.hh"

namespace nlb {

// Best effort: a neighbour that missed it learns the MAC from the next frame or asks again.
void announce(const std::string& interface, const std::vector<IpAddress>& addresses, const MacAddress& mac);

}  // namespace nlb
