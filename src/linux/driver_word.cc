// SPDX-License-Identifier: Apache-2.0
// What a driver says of a MAC address. A proof that fails on the receive side looks alike whether frames are
// filtered or the driver would never take the address; where the driver is known to tell, it is asked.
// Sources: the drivers' ndo_set_mac_address (Linux): hv_netvsc EIO, ixgbevf EPERM, iavf EACCES, ena and gve
// without the callback EOPNOTSUPP, macvlan EADDRINUSE.
#include <algorithm>
#include <array>
#include <string_view>

#include "linux/adapter.hh"
#include "linux/netlink.hh"

namespace nlb {

bool driver_tells(const std::string& driver) {
  constexpr std::array<std::string_view, 6> names = {"macvlan", "hv_netvsc", "ixgbevf", "iavf", "ena", "gve"};
  return std::find(names.begin(), names.end(), driver) != names.end();
}

Result<void> ask_driver(const std::string& interface, const MacAddress& mac) {
  const auto facts = read_adapter(interface);
  if (!facts) return tl::unexpected(facts.error());
  if (facts->mac_current == mac) return {};
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  if (auto taken = netlink::set_mac(*socket, facts->index, mac); !taken) return taken;
  return netlink::set_mac(*socket, facts->index, facts->mac_current);
}

}  // namespace nlb
