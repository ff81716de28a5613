// SPDX-License-Identifier: Apache-2.0
// The programs that run inside the lab's nodes: the service behind the VIP and the clients that measure.
// Each takes what follows its name on the command line, checked, and returns an exit code; clients print
// JSON.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

namespace nlb::lab {

int serve(unsigned host_id, uint16_t http_port, uint16_t udp_port);

struct LoadOptions {
  sockaddr_in to{};
  unsigned connections = 1000, concurrency = 50;
  std::vector<in_addr> sources;  // used in turn; empty: the kernel's choice
  bool udp = false, by_source = false;
  unsigned limit_ms = 10000;  // of one connection, SYN to last byte
  unsigned rate = 0;          // connections a second, 0 = as fast as `concurrency` lets
};
int load(const LoadOptions& options);

struct GapOptions {
  sockaddr_in to{};
  std::vector<in_addr> sources;
  unsigned every_ms = 5, limit_ms = 100, seconds = 10;
  unsigned patient_every_ms = 20;  // the second series: an ordinary client that retries its SYN
  std::string fault_command;       // run by the tool itself …
  unsigned fault_at_ms = 2000;     // … this long after the start
  std::string log_file;            // every attempt as one line
};
int gap(const GapOptions& options);

struct StreamOptions {
  sockaddr_in to{};
  std::vector<in_addr> sources;
  unsigned count = 60, seconds = 10;
  unsigned bytes = 500;  // sent every 50 ms on each stream
};
int streams(const StreamOptions& options);

enum class Forgery : uint8_t { replay, flip, cut, version, ahead, random };
struct ForgeOptions {
  std::string interface = "eth0";
  std::string listen;  // where heartbeats are recorded, when not there
  Forgery how = Forgery::replay;
  double seconds = 1;
  unsigned rate = 0;  // frames a second, 0 = as fast as it goes
  bool live = false;  // past the sockets (lab/live_frames.hh)
};
int forge(const ForgeOptions& options);

// The byte at one place of a stream: depends on the place alone, has no short period.
[[nodiscard]] constexpr uint8_t stream_byte(uint64_t offset) {
  return static_cast<uint8_t>((offset * 31 + (offset >> 8) * 17) ^ (offset >> 16));
}
inline constexpr unsigned kStreamTicksPerSecond = 20;

}  // namespace nlb::lab
