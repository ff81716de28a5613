// SPDX-License-Identifier: Apache-2.0
#include "control/config_values.hh"

#include <algorithm>
#include <charconv>

namespace nlb {

std::optional<uint32_t> parse_number(std::string_view text, uint32_t most) {
  uint32_t value = 0;
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

std::optional<std::pair<uint16_t, uint16_t>> parse_ports(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = parse_number(text.substr(0, dash), 65535);
  const auto last = dash == std::string_view::npos ? first : parse_number(text.substr(dash + 1), 65535);
  if (!first || !last) return std::nullopt;
  return std::pair{static_cast<uint16_t>(*first), static_cast<uint16_t>(*last)};
}

std::optional<Vip> parse_vip(std::string_view text) {
  Vip vip;
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  // ::ffff:a.b.c.d is not on any wire: who means a.b.c.d writes it.
  if (!address || (address->is_v4() && text.find(':') != std::string_view::npos)) return std::nullopt;
  vip.address = *address;
  if (slash == std::string_view::npos) return vip;
  const auto prefix = parse_number(text.substr(slash + 1), address->is_v4() ? 32 : 128);
  if (!prefix || *prefix == 0) return std::nullopt;
  vip.prefix_length = static_cast<uint8_t>(*prefix);
  return vip;
}

namespace {

constexpr auto kUnicast = "; allowed: a unicast address of the interface's network";

std::string v4_objection(const Vip& vip) {
  const uint32_t address = vip.address.v4_host_order();
  const uint32_t top = address >> 24;
  if (address == 0) return std::string("is the unspecified address") + kUnicast;
  if (top == 0) return std::string("is in 0.0.0.0/8, which names no host") + kUnicast;
  if (top == 127) return std::string("is a loopback address") + kUnicast;
  if (top >= 224 && top <= 239) return std::string("is a multicast address") + kUnicast;
  if (address == 0xffffffff) return std::string("is the broadcast address") + kUnicast;
  if (!vip.prefix_length || *vip.prefix_length > 30) return "";
  const uint32_t host_part = address & (0xffffffffu >> *vip.prefix_length);
  if (host_part == 0) return std::string("is the network address of its prefix") + kUnicast;
  if (host_part == (0xffffffffu >> *vip.prefix_length))
    return std::string("is the broadcast address of its prefix") + kUnicast;
  return "";
}

// RFC 4291 section 2.6.1: the address of a subnet with nothing behind the prefix is that of its routers.
bool is_zero_behind(const IpAddress& address, std::size_t prefix_length) {
  for (std::size_t bit = prefix_length; bit < 128; ++bit)
    if ((address.octets[bit / 8] & (0x80 >> bit % 8)) != 0) return false;
  return true;
}

std::string v6_objection(const Vip& vip) {
  const IpAddress& address = vip.address;
  if (address.is_unspecified()) return std::string("is the unspecified address") + kUnicast;
  if (address == *IpAddress::parse("::1")) return std::string("is a loopback address") + kUnicast;
  if (address.octets[0] == 0xff) return std::string("is a multicast address") + kUnicast;
  if (address.is_link_local())
    return std::string(
        "is link-local: clients would have to name their interface beside it, and none behind a router "
        "could reach it; allowed: a global or unique local address (fd00::/8) of the interface's "
        "network");
  // RFC 6164: a /127 has no such address.
  if (vip.prefix_length && *vip.prefix_length < 127 && is_zero_behind(address, *vip.prefix_length))
    return std::string("is the subnet-router anycast address of its prefix") + kUnicast;
  return "";
}

}  // namespace

std::string vip_objection(const Vip& vip) {
  return vip.address.is_v4() ? v4_objection(vip) : v6_objection(vip);
}

bool is_cluster_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_interface_name(std::string_view text) {
  return !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != '/' && c != ':'; });
}

bool is_endpoint(std::string_view text) {
  return Endpoint::parse(text).has_value();
}

}  // namespace nlb
