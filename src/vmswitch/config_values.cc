// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/config_values.hh"

#include <algorithm>
#include <functional>

#include "control/config_values.hh"

namespace nlb::vmswitch {
namespace {

template <typename T>
using OneItem = std::function<std::optional<T>(const std::string& text, std::string& objection)>;

// The elements of a list, each parsed by `parse`, which gives a value or an objection.
template <typename T>
std::vector<T> read_list(ConfigSection& section, std::string_view key, const std::string& allowed,
                         std::size_t most, const OneItem<T>& parse) {
  std::vector<T> values;
  const auto* list = section.list(key, allowed);
  if (list == nullptr) return values;
  const std::string name(key);
  if (list->items.size() > most) {
    section.complain(key, "has " + std::to_string(list->items.size()) + " entries; allowed: " + allowed);
    return values;
  }
  for (const auto& item : list->items) {
    const auto complain = [&](const std::string& message) {
      section.problems_of(key).add(item.line, name + message);
    };
    std::string objection;
    if (item.kind != TomlNode::Kind::text) {
      complain(" holds " + item.describe() + "; allowed: " + allowed);
    } else if (const auto value = parse(item.text, objection); !value) {
      complain(" holds \"" + item.text + "\"" + objection + "; allowed: " + allowed);
    } else if (std::find(values.begin(), values.end(), *value) != values.end()) {
      complain(" holds \"" + item.text + "\" twice; allowed: each entry once");
    } else {
      values.push_back(*value);
    }
  }
  return values;
}

const char* objection_to(const IpAddress& address) {
  if (address.is_unspecified()) return ", the unspecified address";
  if (address.is_v4()) {
    const uint32_t top = address.v4_host_order() >> 24;
    if (top == 0) return ", which names no host";
    if (top == 127) return ", a loopback address";
    if (address.v4_host_order() == 0xffffffff) return ", the broadcast address";
    return top >= 224 ? ", a multicast or reserved address" : "";
  }
  if (address.octets[0] == 0xff) return ", a multicast address";
  return address == *IpAddress::parse("::1") ? ", a loopback address" : "";
}

const char* objection_to(const MacAddress& mac) {
  if (mac.is_zero()) return ", the zero address";
  return (mac.octets[0] & 1) != 0 ? ", a multicast address" : "";
}

}  // namespace

std::optional<std::string> read_cluster_name(ConfigSection& section, std::string_view key) {
  const auto name = section.text(key, kNameAllowed);
  if (!name || is_cluster_name(*name)) return name;
  section.complain(key, "is \"" + *name + "\"; allowed: " + kNameAllowed);
  return std::nullopt;
}

std::optional<std::string> read_interface(ConfigSection& section, std::string_view key) {
  const auto name = section.text(key, kInterfaceAllowed);
  if (!name || is_interface_name(*name)) return name;
  section.complain(key, "is \"" + *name + "\"; allowed: " + kInterfaceAllowed);
  return std::nullopt;
}

std::optional<MacAddress> read_mac(ConfigSection& section, std::string_view key) {
  const auto text = section.text(key, kMacAllowed);
  if (!text) return std::nullopt;
  const auto mac = MacAddress::parse(*text);
  const std::string objection = mac ? objection_to(*mac) : "";
  if (mac && objection.empty()) return mac;
  section.complain(key, "is \"" + *text + "\"" + objection + "; allowed: " + kMacAllowed);
  return std::nullopt;
}

uint16_t read_vlan(ConfigSection& section) {
  return static_cast<uint16_t>(section.number("vlan", 0, kMaxVlan).value_or(0));
}

std::vector<IpAddress> read_addresses(ConfigSection& section, std::string_view key, std::size_t most) {
  const OneItem<IpAddress> parse = [](const std::string& text,
                                      std::string& objection) -> std::optional<IpAddress> {
    const auto parsed = parse_vip(text);
    if (!parsed) return std::nullopt;
    objection = objection_to(parsed->address);
    return objection.empty() ? std::optional(parsed->address) : std::nullopt;
  };
  return read_list(section, key, "a list of up to " + std::to_string(most) + " unicast IP addresses", most,
                   parse);
}

std::vector<MacAddress> read_macs(ConfigSection& section, std::string_view key, std::size_t most) {
  const OneItem<MacAddress> parse = [](const std::string& text,
                                       std::string& objection) -> std::optional<MacAddress> {
    const auto mac = MacAddress::parse(text);
    objection = mac ? objection_to(*mac) : "";
    return objection.empty() ? mac : std::nullopt;
  };
  return read_list(section, key, "a list of up to " + std::to_string(most) + " unicast MAC addresses", most,
                   parse);
}

std::vector<std::string> read_interfaces(ConfigSection& section, std::string_view key) {
  const OneItem<std::string> parse = [](const std::string& text, std::string&) {
    return is_interface_name(text) ? std::optional(text) : std::nullopt;
  };
  return read_list(section, key, "a list of names of network interfaces, 1 to 15 characters each", 1024,
                   parse);
}

}  // namespace nlb::vmswitch
