// SPDX-License-Identifier: Apache-2.0
#include "linux/own_address.hh"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>

namespace nlb {
namespace {

bool is_loopback(const IpAddress& address) {
  if (address.is_v4()) return address.v4_host_order() >> 24 == 127;
  IpAddress loopback;
  loopback.octets.back() = 1;
  return address == loopback;
}

bool carries(const ifaddrs& entry, const IpAddress& address) {
  if (entry.ifa_addr == nullptr) return false;
  if (entry.ifa_addr->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, entry.ifa_addr, sizeof v4);
    return address == IpAddress::v4(ntohl(v4.sin_addr.s_addr));
  }
  if (entry.ifa_addr->sa_family != AF_INET6) return false;
  sockaddr_in6 v6{};
  std::memcpy(&v6, entry.ifa_addr, sizeof v6);
  return std::memcmp(&v6.sin6_addr, address.octets.data(), address.octets.size()) == 0;
}

}  // namespace

bool is_own_address(const IpAddress& address) {
  if (is_loopback(address)) return true;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return false;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next)
    if (carries(*entry, address)) return true;
  return false;
}

}  // namespace nlb
