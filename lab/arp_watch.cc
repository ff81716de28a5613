// SPDX-License-Identifier: Apache-2.0
#include "lab/arp_watch.hh"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "lab/network.hh"

namespace nlb::lab {
namespace {

// RFC 826 for IPv4 over Ethernet, behind the Ethernet header.
constexpr std::size_t kSenderMac = ETH_HLEN + 8, kSenderAddress = ETH_HLEN + 14, kArpBytes = ETH_HLEN + 28;

int open_on(const std::string& port) {
  const int made = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (made < 0) return -1;
  const int room = 8 << 20;
  (void)setsockopt(made, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);  // taps of one protocol come after the guard's program
  at.sll_ifindex = static_cast<int>(if_nametoindex(port.c_str()));
  if (at.sll_ifindex != 0 && bind(made, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) return made;
  const int error = errno;
  close(made);
  errno = error;
  return -1;
}

}  // namespace

Result<ArpWatch> ArpWatch::begin(const std::string& network, const std::string& port) {
  Result<void> entered;
  int made = -1, error = 0;
  std::thread([&] {  // a namespace is a thread's
    entered = enter_network(network);
    if (entered) made = open_on(port);
    error = errno;
  })
      .join();
  if (!entered) return tl::unexpected<Error>(entered.error());
  if (made < 0) return fail(port + ": cannot be watched: " + std::strerror(error), error);
  return ArpWatch(made);
}

ArpWatch::ArpWatch(ArpWatch&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
ArpWatch::~ArpWatch() {
  if (socket_ >= 0) close(socket_);
}

std::vector<ArpBinding> ArpWatch::seen() {
  std::vector<ArpBinding> bindings;
  std::array<uint8_t, 2048> frame{};
  while (true) {
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t bytes = recvfrom(socket_, frame.data(), frame.size(), MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&from), &size);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return bindings;
    if (from.sll_pkttype == PACKET_OUTGOING || bytes < static_cast<ssize_t>(kArpBytes)) continue;
    if (frame[12] != 0x08 || frame[13] != 0x06) continue;
    ArpBinding binding;
    std::memcpy(binding.mac.octets.data(), &frame[kSenderMac], 6);
    binding.address =
        IpAddress::v4(uint32_t{frame[kSenderAddress]} << 24 | uint32_t{frame[kSenderAddress + 1]} << 16 |
                      uint32_t{frame[kSenderAddress + 2]} << 8 | frame[kSenderAddress + 3]);
    if (!binding.address.is_unspecified()) bindings.push_back(binding);
  }
}

}  // namespace nlb::lab
