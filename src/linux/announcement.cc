// SPDX-License-Identifier: Apache-2.0
#include "linux/announcement.hh"

#include <linux/if_ether.h>

#include "linux/frame_socket.hh"
#include "wire/arp.hh"

namespace nlb {

void announce(const std::string& interface, const std::vector<IpAddress>& addresses, const MacAddress& mac) {
  constexpr MacAddress kEveryone{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  auto socket = FrameSocket::open(interface, ETH_P_ARP, std::nullopt);
  if (!socket) return;
  for (const auto& address : addresses)
    if (address.is_v4()) (void)(*socket)->send(mac, kEveryone, arp_request(mac, address, address));
}

}  // namespace nlb
