// SPDX-License-Identifier: Apache-2.0
// A host that speaks the next minor version of the protocol: src/wire compiled once more with
// NLB_WIRE_MINOR=1 in a namespace of its own (sim/CMakeLists.txt), and put behind two functions over bytes,
// so that both versions can live in one program.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace nlb::sim {

// Reads bytes of either version as the next minor does and writes them as it does; nullopt = refused.
[[nodiscard]] std::optional<std::vector<uint8_t>> through_next_minor(std::span<const uint8_t> bytes);

}  // namespace nlb::sim
