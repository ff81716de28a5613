// SPDX-License-Identifier: Apache-2.0
// A witness at a port of the lab's switch: which ARP frames of the machine behind it bind an address to a
// MAC? It sees what the machine sends before the guard judges it, so a frame that the guard would drop is
// seen too.
#pragma once

#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb::lab {

struct ArpBinding {
  IpAddress address;
  MacAddress mac;
  bool operator==(const ArpBinding&) const = default;
};

class ArpWatch {
 public:
  [[nodiscard]] static Result<ArpWatch> begin(const std::string& network, const std::string& port);
  ArpWatch(ArpWatch&& other) noexcept;
  ArpWatch& operator=(ArpWatch&&) = delete;
  ~ArpWatch();
  // The sender pairs since the beginning, or since the last call; probes (sender 0.0.0.0) bind nothing. They
  // wait in the socket's buffer, which holds some thousand frames.
  [[nodiscard]] std::vector<ArpBinding> seen();

 private:
  explicit ArpWatch(int socket) : socket_(socket) {}
  int socket_;
};

}  // namespace nlb::lab
