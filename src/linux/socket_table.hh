// SPDX-License-Identifier: Apache-2.0
// Who listens, and who connects out, from /proc/net/{tcp,tcp6,udp,udp6}: enough for a diagnosis, and a text
// that tests can hold.
#pragma once

#include <string>
#include <vector>

#include "base/net.hh"

namespace nlb {

struct SocketEntry {
  bool tcp = true;
  bool listening = false;  // TCP LISTEN; UDP without a remote address
  bool opening = false;    // TCP ESTABLISHED or SYN_SENT; UDP with a remote address
  IpAddress local, remote;
  uint16_t local_port = 0, remote_port = 0;
};
// The text of one of the files; lines that cannot be read are passed over.
[[nodiscard]] std::vector<SocketEntry> parse_socket_table(const std::string& text, bool tcp);
[[nodiscard]] std::vector<SocketEntry> read_socket_tables(const std::string& root = "/");

}  // namespace nlb
