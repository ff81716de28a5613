// SPDX-License-Identifier: Apache-2.0
// Captures of Ethernet frames (the file that tcpdump and scapy write): either byte order, micro- or
// nanoseconds. Records are read until one does not fit; pcapng is not read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace nlb::fuzz {

using Octets = std::span<const uint8_t>;
[[nodiscard]] std::optional<std::vector<Octets>> read_pcap(Octets file);  // nullopt: not such a file

}  // namespace nlb::fuzz
