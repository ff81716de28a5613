// SPDX-License-Identifier: Apache-2.0
// Addresses as values: MAC, IP, host id. No syscalls; text forms only.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nlb {

using HostId = uint8_t;    // 1..64, the host priority; 0 = none
using HostSet = uint64_t;  // bit id-1
using Nanos = int64_t;     // CLOCK_BOOTTIME, never wall clock
inline constexpr Nanos kMicrosecond = 1'000;
inline constexpr Nanos kMillisecond = 1'000'000;
inline constexpr Nanos kSecond = 1'000'000'000;

[[nodiscard]] constexpr HostSet bit_of(HostId id) {
  return HostSet{1} << (id - 1);
}

// Calls visit(id) for each host of the set, in ascending order.
template <typename Visit>
void for_each_host(HostSet set, Visit visit) {
  for (HostSet rest = set; rest != 0; rest &= rest - 1)
    visit(static_cast<HostId>(std::countr_zero(rest) + 1));
}

struct MacAddress {
  std::array<uint8_t, 6> octets{};
  auto operator<=>(const MacAddress&) const = default;
  [[nodiscard]] bool is_zero() const { return *this == MacAddress{}; }
  [[nodiscard]] std::string text() const;  // lower case with colons
  [[nodiscard]] static std::optional<MacAddress> parse(std::string_view text);
};

// An IPv4 or IPv6 address. IPv4 is kept v4-mapped (::ffff:a.b.c.d), network byte order.
struct IpAddress {
  std::array<uint8_t, 16> octets{};
  auto operator<=>(const IpAddress&) const = default;
  [[nodiscard]] static IpAddress v4(uint32_t host_order);
  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] bool is_unspecified() const;     // 0.0.0.0 or ::
  [[nodiscard]] bool is_link_local() const;      // fe80::/10; no IPv4 address is
  [[nodiscard]] bool is_multicast() const;       // 224.0.0.0/4, ff00::/8
  [[nodiscard]] uint32_t v4_host_order() const;  // only when is_v4()
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);
};

// An address and a port: "10.0.0.1:80" or "[2001:db8::1]:80", port 1..65535.
struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);
};

// The MAC addresses that a cluster of NLB's kind derives from its primary VIP.
// IPv4 w.x.y.z: 02-bf-w-x-y-z, 03-bf-w-x-y-z, 01-00-5e-7f-y-z, masked 02-h-w-x-y-z.
// IPv6: w.x.y.z is the exclusive or of the address's four words of four octets, so that clusters whose VIPs
// differ in the prefix or in the interface identifier alone have different MACs.
struct ClusterMacs {
  MacAddress unicast, multicast, igmp;
  MacAddress heartbeat_group;  // 03-bf-w-x-y-z in every mode
};
[[nodiscard]] ClusterMacs cluster_macs(const IpAddress& primary_vip);
[[nodiscard]] MacAddress masked_mac(const IpAddress& primary_vip, HostId host);
// 239.255.y.z, the group of the MAC 01-00-5e-7f-y-z: for it the hosts of mode igmp join, and to it they
// speak.
[[nodiscard]] IpAddress igmp_group_of(const MacAddress& igmp);

}  // namespace nlb
