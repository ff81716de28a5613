// SPDX-License-Identifier: Apache-2.0
// Numbers and addresses out of a packet's octets, for the model of the filter. The caller knows that they are
// there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/net.hh"

namespace nlb::model {

using Bytes = std::span<const uint8_t>;

inline uint16_t word(Bytes bytes, std::size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
inline uint32_t long_word(Bytes bytes, std::size_t at) {
  return uint32_t{word(bytes, at)} << 16 | word(bytes, at + 2);
}
inline IpAddress address_v4(Bytes bytes, std::size_t at) {
  return IpAddress::v4(long_word(bytes, at));
}
inline IpAddress address_v6(Bytes bytes, std::size_t at) {
  IpAddress address;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 16, address.octets.begin());
  return address;
}
inline bool starts_with(Bytes bytes, const MacAddress& mac) {
  return std::equal(mac.octets.begin(), mac.octets.end(), bytes.begin());
}

}  // namespace nlb::model
