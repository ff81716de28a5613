// SPDX-License-Identifier: Apache-2.0
// Values of the configuration that have a text form of their own: VIPs, ports, names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/config.hh"

namespace nlb {

// Digits only, no sign, no blanks, at most `most`.
[[nodiscard]] std::optional<uint32_t> parse_number(std::string_view text, uint32_t most);
// "N" or "N-M", 0..65535; not yet checked for order.
[[nodiscard]] std::optional<std::pair<uint16_t, uint16_t>> parse_ports(std::string_view text);
// "ADDRESS" or "ADDRESS/PREFIX"; only the form.
[[nodiscard]] std::optional<Vip> parse_vip(std::string_view text);
// Why an address cannot be a VIP, or "" when it can.
[[nodiscard]] std::string vip_objection(const Vip& vip);
[[nodiscard]] bool is_cluster_name(std::string_view text);
[[nodiscard]] bool is_interface_name(std::string_view text);
// "10.0.0.1:80" or "[2001:db8::1]:80", port 1..65535
[[nodiscard]] bool is_endpoint(std::string_view text);

}  // namespace nlb
