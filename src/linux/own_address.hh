// SPDX-License-Identifier: Apache-2.0
// Whether a connection to an address stays on this host.
#pragma once

#include "base/net.hh"

namespace nlb {

// Loopback, or an address of some interface in this network namespace at the moment.
[[nodiscard]] bool is_own_address(const IpAddress& address);

}  // namespace nlb
