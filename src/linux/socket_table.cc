// SPDX-License-Identifier: Apache-2.0
#include "linux/socket_table.hh"

#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace nlb {
namespace {

constexpr uint32_t kEstablished = 1, kSynSent = 2, kListen = 10;

std::optional<uint32_t> hex(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The kernel prints words of four octets as numbers of its own byte order: IPv4 one, IPv6 four of them.
std::optional<IpAddress> address_of(std::string_view text) {
  IpAddress address = IpAddress::v4(0);
  const std::size_t words = text.size() / 8;
  if (text.size() % 8 != 0 || (words != 1 && words != 4)) return std::nullopt;
  for (std::size_t i = 0; i < words; ++i) {
    const auto word = hex(text.substr(i * 8, 8));
    if (!word) return std::nullopt;
    std::memcpy(address.octets.data() + 16 - words * 4 + i * 4, &*word, 4);
  }
  return address;
}

bool parse_end(const std::string& text, IpAddress& address, uint16_t& port) {
  const auto colon = text.find(':');
  if (colon == std::string::npos) return false;
  const auto ip = address_of(std::string_view(text).substr(0, colon));
  const auto number = hex(std::string_view(text).substr(colon + 1));
  if (!ip || !number) return false;
  address = *ip;
  port = static_cast<uint16_t>(*number);
  return true;
}

}  // namespace

std::vector<SocketEntry> parse_socket_table(const std::string& text, bool tcp) {
  std::vector<SocketEntry> entries;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number, local, remote, state;
    words >> number >> local >> remote >> state;
    SocketEntry entry;
    const auto code = hex(state);
    if (!code || !parse_end(local, entry.local, entry.local_port) ||
        !parse_end(remote, entry.remote, entry.remote_port))
      continue;
    entry.tcp = tcp;
    entry.listening = tcp ? *code == kListen : entry.remote_port == 0;
    entry.opening = tcp ? *code == kEstablished || *code == kSynSent : entry.remote_port != 0;
    entries.push_back(entry);
  }
  return entries;
}

std::vector<SocketEntry> read_socket_tables(const std::string& root) {
  std::vector<SocketEntry> all;
  for (const char* name : {"tcp", "tcp6", "udp", "udp6"}) {
    std::ostringstream text;
    text << std::ifstream(root + "/proc/net/" + name).rdbuf();
    const auto entries = parse_socket_table(text.str(), name[0] == 't');
    all.insert(all.end(), entries.begin(), entries.end());
  }
  return all;
}

}  // namespace nlb
