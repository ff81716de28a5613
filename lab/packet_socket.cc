// SPDX-License-Identifier: Apache-2.0
#include "lab/packet_socket.hh"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace nlb::lab {

int packet_socket(unsigned index, uint16_t ether_type) {
  const int made = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (made < 0) return -1;
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ether_type);
  at.sll_ifindex = static_cast<int>(index);
  if (bind(made, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) return made;
  const int error = errno;
  close(made);
  errno = error;
  return -1;
}

}  // namespace nlb::lab
