// SPDX-License-Identifier: Apache-2.0
// What a loaded program was made of: its object file and the maps that it was given. Two programs of one
// identity do the same, so a daemon need not have the kernel verify a copy of what is there already.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "datapath/maps.hh"

namespace nlb {

// 16 hexadecimal digits. Holds until the machine's next boot: ids of maps begin anew then, and pins are gone.
[[nodiscard]] std::string program_identity(std::span<const std::byte> object, const MapSet& maps);

}  // namespace nlb
