// SPDX-License-Identifier: Apache-2.0
// Text forms of addresses, and the MAC addresses that follow from a VIP.
#include "base/net.hh"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace nlb {
namespace {
constexpr std::array<uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// What stands for w.x.y.z in the MACs of a cluster.
std::array<uint8_t, 4> mac_octets(const IpAddress& vip) {
  std::array<uint8_t, 4> folded{};
  for (std::size_t i = vip.is_v4() ? 12 : 0; i < vip.octets.size(); ++i) folded[i % 4] ^= vip.octets[i];
  return folded;
}
}  // namespace

std::string MacAddress::text() const {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (i != 0) out += ':';
    out += digits[octets[i] >> 4];
    out += digits[octets[i] & 15];
  }
  return out;
}

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  MacAddress mac;
  for (std::size_t i = 0; i < 6; ++i) {
    const char* at = text.data() + i * 3;
    if (i != 5 && at[2] != ':' && at[2] != '-') return std::nullopt;
    auto [end, error] = std::from_chars(at, at + 2, mac.octets[i], 16);
    if (error != std::errc{} || end != at + 2) return std::nullopt;
  }
  return mac;
}

IpAddress IpAddress::v4(uint32_t host_order) {
  IpAddress address;
  std::memcpy(address.octets.data(), kV4Prefix.data(), kV4Prefix.size());
  for (std::size_t i = 0; i < 4; ++i)
    address.octets[12 + i] = static_cast<uint8_t>(host_order >> (24 - 8 * i));
  return address;
}

bool IpAddress::is_v4() const {
  return std::memcmp(octets.data(), kV4Prefix.data(), kV4Prefix.size()) == 0;
}

bool IpAddress::is_unspecified() const {
  return *this == IpAddress{} || *this == v4(0);
}

bool IpAddress::is_link_local() const {
  return octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80;
}

bool IpAddress::is_multicast() const {
  return is_v4() ? (octets[12] & 0xf0) == 0xe0 : octets[0] == 0xff;
}

uint32_t IpAddress::v4_host_order() const {
  uint32_t value = 0;
  for (std::size_t i = 12; i < 16; ++i) value = value << 8 | octets[i];
  return value;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (is_v4()) {
    inet_ntop(AF_INET, octets.data() + 12, buffer, sizeof buffer);
  } else {
    inet_ntop(AF_INET6, octets.data(), buffer, sizeof buffer);
  }
  return buffer;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string terminated(text);
  in_addr v4_address{};
  if (inet_pton(AF_INET, terminated.c_str(), &v4_address) == 1) return v4(ntohl(v4_address.s_addr));
  IpAddress address;
  if (inet_pton(AF_INET6, terminated.c_str(), address.octets.data()) == 1) return address;
  return std::nullopt;
}

std::string Endpoint::text() const {
  const std::string host = address.is_v4() ? address.text() : "[" + address.text() + "]";
  return host + ":" + std::to_string(port);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || port == 0) return std::nullopt;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (!address || address->is_v4() == bracketed) return std::nullopt;
  return Endpoint{*address, port};
}

ClusterMacs cluster_macs(const IpAddress& primary_vip) {
  const auto o = mac_octets(primary_vip);
  ClusterMacs macs;
  macs.unicast.octets = {0x02, 0xbf, o[0], o[1], o[2], o[3]};
  macs.multicast.octets = {0x03, 0xbf, o[0], o[1], o[2], o[3]};
  macs.igmp.octets = {0x01, 0x00, 0x5e, 0x7f, o[2], o[3]};
  macs.heartbeat_group = macs.multicast;
  return macs;
}

MacAddress masked_mac(const IpAddress& primary_vip, HostId host) {
  const auto o = mac_octets(primary_vip);
  return MacAddress{{0x02, host, o[0], o[1], o[2], o[3]}};
}

IpAddress igmp_group_of(const MacAddress& igmp) {
  return IpAddress::v4(0xefff0000U | static_cast<uint32_t>(igmp.octets[4] << 8 | igmp.octets[5]));
}

}  // namespace nlb
