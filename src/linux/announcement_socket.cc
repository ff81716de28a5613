// SPDX-License-Identifier: Apache-2.0
#include "linux/announcement_socket.hh"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <nlb/abi/guard.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace nlb {
namespace {

constexpr MacAddress kDestination{NLB_GUARD_ANNOUNCEMENT_MAC};

}  // namespace

Result<AnnouncementSocket> AnnouncementSocket::open(uint32_t ifindex) {
  // Protocol 0: it hears nothing.
  AnnouncementSocket opened(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ifindex);
  const int on = 1;
  if (opened.fd_ < 0 || setsockopt(opened.fd_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0)
    return fail(std::string("cannot open a packet socket for announcements: ") + std::strerror(errno), errno);
  return opened;
}

AnnouncementSocket::~AnnouncementSocket() {
  if (fd_ >= 0) close(fd_);
}

void AnnouncementSocket::send(uint32_t ifindex, const MacAddress& source,
                              std::span<const uint8_t> payload) const {
  std::vector<uint8_t> frame;
  frame.reserve(14 + payload.size());
  frame.insert(frame.end(), kDestination.octets.begin(), kDestination.octets.end());
  frame.insert(frame.end(), source.octets.begin(), source.octets.end());
  frame.push_back(NLB_ETHERTYPE_POLICY >> 8);
  frame.push_back(NLB_ETHERTYPE_POLICY & 0xff);
  frame.insert(frame.end(), payload.begin(), payload.end());
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(NLB_ETHERTYPE_POLICY);
  to.sll_ifindex = static_cast<int>(ifindex);
  to.sll_halen = 6;
  std::copy(kDestination.octets.begin(), kDestination.octets.end(), to.sll_addr);
  static_cast<void>(sendto(fd_, frame.data(), frame.size(), MSG_DONTWAIT,
                           reinterpret_cast<const sockaddr*>(&to), sizeof to));
}

}  // namespace nlb
