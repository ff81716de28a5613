// SPDX-License-Identifier: Apache-2.0
// "ADDRESS:PORT" of a check, as the configuration has judged it.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>

namespace nlb {

// Without the brackets of an IPv6 address.
[[nodiscard]] inline std::string address_of_target(const std::string& target) {
  const auto address = target.substr(0, target.rfind(':'));
  return address.front() == '[' ? address.substr(1, address.size() - 2) : address;
}

[[nodiscard]] inline boost::asio::ip::tcp::endpoint endpoint_of_target(const std::string& target) {
  const auto port = std::stoul(target.substr(target.rfind(':') + 1));
  return {boost::asio::ip::make_address(address_of_target(target)), static_cast<uint16_t>(port)};
}

}  // namespace nlb
