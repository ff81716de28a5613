// SPDX-License-Identifier: Apache-2.0
// Addresses and ports as people write them on a command line: 80, all, 10.0.0.1:80, all:80, [2001:db8::1]:80.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hh"

namespace nlb {

[[nodiscard]] bool is_all(std::string_view text);  // "all", in any case

// "[VIP:]PORT", either of which may be "all" (in any case), as nlb.exe takes it.
struct PortSelection {
  std::optional<std::string> vip;  // an address or "all"; nullopt = not said
  std::optional<uint16_t> port;    // nullopt = all
};
[[nodiscard]] Result<PortSelection> parse_port_selection(std::string_view text);

// "ADDRESS", "ADDRESS:PORT" or "[IPV6]:PORT".
struct AddressPort {
  std::string address;  // normal form
  std::optional<uint16_t> port;
};
[[nodiscard]] Result<AddressPort> parse_address_port(std::string_view text);

}  // namespace nlb
