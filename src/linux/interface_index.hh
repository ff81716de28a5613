// SPDX-License-Identifier: Apache-2.0
// The index of an interface, asked on a socket that is open already. if_nametoindex() opens one of its own,
// and says "no such interface" also when no descriptor is left.
#pragma once

#include <string>

#include "base/result.hh"

namespace nlb {

// `socket`: any, of the network namespace that is meant. Error ENODEV: there is none of that name.
[[nodiscard]] Result<int> interface_index(int socket, const std::string& interface);

}  // namespace nlb
