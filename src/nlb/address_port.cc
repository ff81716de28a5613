// SPDX-License-Identifier: Apache-2.0
#include "nlb/address_port.hh"

#include <algorithm>

#include "base/net.hh"
#include "control/config_values.hh"

namespace nlb {
namespace {

struct Split {
  std::string_view address;  // without brackets; empty = none
  std::string_view port;     // empty = none
};

// What cannot be parted stays whole, so that the caller's own check refuses it.
Split parted(std::string_view whole, std::string_view address, std::string_view port) {
  return address.empty() || port.empty() ? Split{whole, {}} : Split{address, port};
}

// The last colon parts address and port, unless the address is IPv6 without brackets.
Split split(std::string_view text) {
  if (!text.starts_with('[')) {
    const auto colon = text.find(':');
    const bool one = colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos;
    return one ? parted(text, text.substr(0, colon), text.substr(colon + 1)) : Split{text, {}};
  }
  const auto close = text.find(']');
  if (close == std::string_view::npos) return {text, {}};
  const auto address = text.substr(1, close - 1), rest = text.substr(close + 1);
  if (rest.empty()) return {address, {}};
  return rest.front() == ':' ? parted(text, address, rest.substr(1)) : Split{text, {}};
}

}  // namespace

bool is_all(std::string_view text) {
  return text.size() == 3 &&
         std::equal(text.begin(), text.end(), "all", [](char a, char b) { return (a | 0x20) == b; });
}

Result<PortSelection> parse_port_selection(std::string_view text) {
  const auto wrong = [&] {
    return fail("\"" + std::string(text) + "\": allowed: PORT, VIP:PORT or [IPV6]:PORT; \"all\" for either",
                2);
  };
  auto [address, port] = split(text);
  PortSelection result;
  if (port.empty()) {
    port = text;
    address = {};
  }
  if (!is_all(port)) {
    const auto number = parse_number(port, 65535);
    if (!number) return wrong();
    result.port = static_cast<uint16_t>(*number);
  }
  if (address.empty()) return result;
  const auto parsed = IpAddress::parse(address);
  if (!is_all(address) && !parsed) return wrong();
  result.vip = parsed ? parsed->text() : "all";
  return result;
}

Result<AddressPort> parse_address_port(std::string_view text) {
  const auto [address, port] = split(text);
  const auto parsed = IpAddress::parse(address);
  const auto number = parse_number(port, 65535);
  if (!parsed || (!port.empty() && !number))
    return fail("\"" + std::string(text) + "\": allowed: ADDRESS, ADDRESS:PORT or [IPV6]:PORT", 2);
  AddressPort result{parsed->text(), std::nullopt};
  if (number) result.port = static_cast<uint16_t>(*number);
  return result;
}

}  // namespace nlb
