// SPDX-License-Identifier: Apache-2.0
// Sends announcements between a switch and what is plugged into it: one EtherType, one destination, which no
// bridge forwards. The frame is handed to the interface's driver (PACKET_QDISC_BYPASS): no qdisc, filter or
// chain of this machine sees it.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb {

class AnnouncementSocket {
 public:
  [[nodiscard]] static Result<AnnouncementSocket> open(uint32_t ifindex = 0);

  AnnouncementSocket(AnnouncementSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), ifindex_(other.ifindex_) {}
  AnnouncementSocket& operator=(AnnouncementSocket&&) = delete;
  ~AnnouncementSocket();

  // An interface that is down, full or gone misses it: whoever announces says it again. Any thread.
  void send(uint32_t ifindex, const MacAddress& source, std::span<const uint8_t> payload) const;
  void send(const MacAddress& source, std::span<const uint8_t> payload) const {
    send(ifindex_, source, payload);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  AnnouncementSocket(int fd, uint32_t ifindex) : fd_(fd), ifindex_(ifindex) {}
  int fd_;
  uint32_t ifindex_;
};

}  // namespace nlb
