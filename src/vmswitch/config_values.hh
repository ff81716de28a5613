// SPDX-License-Identifier: Apache-2.0
// Values that several sections of vmswitch.toml have: lists of addresses, of MACs, of interfaces, a VLAN.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/net.hh"
#include "control/config_section.hh"

namespace nlb::vmswitch {

inline constexpr const char* kNameAllowed = "1 to 32 letters, digits, \"-\" and \"_\"";
inline constexpr const char* kBridgeAllowed =
    "the name of a bridge, 1 to 15 characters, none of them a quote, backslash or asterisk (for nftables)";
// nftables has words for neither of them in the name of a bridge.
[[nodiscard]] inline bool is_nameable_bridge(std::string_view name) {
  return !name.empty() && name.find_first_of("\"\\*") == std::string_view::npos;
}
inline constexpr const char* kInterfaceAllowed = "the name of a network interface, 1 to 15 characters";
inline constexpr const char* kMacAllowed = "a unicast MAC address like \"52:54:00:12:34:56\"";
inline constexpr uint32_t kMaxVlan = 4094;

// Absent or wrong (complained): nullopt.
[[nodiscard]] std::optional<std::string> read_cluster_name(ConfigSection& section, std::string_view key);
[[nodiscard]] std::optional<std::string> read_interface(ConfigSection& section, std::string_view key);
[[nodiscard]] std::optional<MacAddress> read_mac(ConfigSection& section, std::string_view key);
[[nodiscard]] uint16_t read_vlan(ConfigSection& section);

// Each entry once, each a unicast address; a prefix length behind a VIP is accepted and means nothing here.
[[nodiscard]] std::vector<IpAddress> read_addresses(ConfigSection& section, std::string_view key,
                                                    std::size_t most);
[[nodiscard]] std::vector<MacAddress> read_macs(ConfigSection& section, std::string_view key,
                                                std::size_t most);
[[nodiscard]] std::vector<std::string> read_interfaces(ConfigSection& section, std::string_view key);

}  // namespace nlb::vmswitch
