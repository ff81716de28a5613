// SPDX-License-Identifier: Apache-2.0
#include "linux/announcement.hh"

#include <linux/if_ether.h>

#include "linux/frame_socket.hh"
#include "wire/arp.hh"
#include "wire/nd.hh"

namespace nlb {

void announce(const std::string& interface, const std::vector<IpAddress>& addresses, const MacAddress& mac) {
  constexpr MacAddress kEveryone{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  constexpr MacAddress kAllNodes{{0x33, 0x33, 0, 0, 0, 1}};
  auto arp = FrameSocket::open(interface, ETH_P_ARP, std::nullopt);
  auto discovery = FrameSocket::open_discovery(interface);
  if (!arp || !discovery) return;
  for (const auto& address : addresses)
    if (address.is_v4())
      (void)(*arp)->send(mac, kEveryone, arp_request(mac, address, address));
    else
      (void)(*discovery)->send(mac, kAllNodes, nd_announcement(address, mac));
}

}  // namespace nlb
