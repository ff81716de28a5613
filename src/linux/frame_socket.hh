// SPDX-License-Identifier: Apache-2.0
// AF_PACKET sockets: heartbeats (EtherType 0x88B5) and ARP questions to a silent peer's kernel.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"
#include "linux/clock.hh"

namespace nlb {

struct ReceivedFrame {
  MacAddress source, destination;
  Nanos received_at = 0;  // CLOCK_BOOTTIME, taken when read
  std::vector<uint8_t> payload;
};

// Behind the tc filters as the IP stack is, or before them: what our own filter drops (an ARP claim to a VIP)
// is heard there only.
enum class Hearing : uint8_t { behind_filters, before_filters };

class FrameSocket {
 public:
  // Joins `group` on the interface. Non-blocking. The receive buffer is large enough for a second of 64
  // hosts.
  [[nodiscard]] static Result<std::unique_ptr<FrameSocket>> open(const std::string& interface,
                                                                 uint16_t ether_type,
                                                                 std::optional<MacAddress> group,
                                                                 Hearing hearing = Hearing::behind_filters);
  // What neighbours say about addresses, heard before the filters and whatever group it goes to: ARP, and
  // neighbour solicitations and advertisements as whole IPv6 packets. Sends IPv6.
  [[nodiscard]] static Result<std::unique_ptr<FrameSocket>> open_discovery(const std::string& interface);
  // Packets of one protocol straight behind the IPv4 or IPv6 header, to `group` alone where one is named.
  // Joins nothing. Sends IP.
  [[nodiscard]] static Result<std::unique_ptr<FrameSocket>> open_ip(const std::string& interface,
                                                                    uint16_t ether_type, uint8_t protocol,
                                                                    std::optional<MacAddress> group);
  virtual ~FrameSocket() = default;
  // The adapter accepts frames to this MAC, of a group or not, for as long as the socket is open.
  [[nodiscard]] virtual Result<void> also_receive(const MacAddress& mac) = 0;
  [[nodiscard]] virtual int fd() const = 0;
  // Own outgoing frames are not returned. nullopt when the queue is empty; until then some frames may have
  // left the kernel's queue already, so fd() does not tell of them.
  [[nodiscard]] virtual std::optional<ReceivedFrame> receive() = 0;
  [[nodiscard]] virtual Result<void> send(const MacAddress& source, const MacAddress& destination,
                                          std::span<const uint8_t> payload) = 0;
  // Frames that the kernel dropped for want of buffer since it was last asked.
  [[nodiscard]] virtual uint64_t dropped() = 0;
};

}  // namespace nlb
