// SPDX-License-Identifier: Apache-2.0
// Sends one UDP frame over and over until it is ended, by live frames: live_sender INTERFACE SOURCE
// DESTINATION MAC (of the receiver). Checksums are right, so that connection tracking takes the frame.
#include <arpa/inet.h>
#include <net/if.h>

#include <cstdio>

#include "lab/live_frames.hh"
#include "packets.hh"

namespace {

using nlb::test::Frame;
constexpr unsigned kMany = 1U << 28;

uint16_t folded_sum(const uint8_t* bytes, std::size_t size, uint32_t sum) {
  for (std::size_t i = 0; i < size; ++i) sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : uint32_t{bytes[i]};
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void put(Frame& frame, std::size_t at, uint16_t value) {
  frame[at] = static_cast<uint8_t>(value >> 8);
  frame[at + 1] = static_cast<uint8_t>(value);
}

Frame summed_udp(const char* source, const char* destination, const char* mac) {
  using namespace nlb::test;
  const Frame payload = udp(40000, 80, 18);
  Frame frame = Ethernet{nlb::test::mac(mac), nlb::test::mac("52:54:00:00:00:99")}.wrap(
      0x0800, Ipv4{ip(source), ip(destination)}.wrap(17, payload));
  constexpr std::size_t kIp = 14, kUdp = 34, kAddresses = 26;
  put(frame, kIp + 10, 0);
  put(frame, kIp + 10, folded_sum(frame.data() + kIp, 20, 0));
  put(frame, kUdp + 6, 0);
  uint32_t pseudo = 17 + static_cast<uint32_t>(payload.size());
  for (std::size_t i = kAddresses; i < kAddresses + 8; i += 2)
    pseudo += uint32_t{frame[i]} << 8 | frame[i + 1];
  put(frame, kUdp + 6, folded_sum(frame.data() + kUdp, payload.size(), pseudo));
  return frame;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return std::fprintf(stderr, "live_sender INTERFACE SOURCE DESTINATION MAC\n"), 2;
  const auto live = nlb::lab::LiveFrames::open(if_nametoindex(argv[1]));
  if (!live) return std::fprintf(stderr, "%s\n", live.error().message.c_str()), 1;
  const Frame frame = summed_udp(argv[2], argv[3], argv[4]);
  while (live->send(frame, kMany) > 0) {
  }
  return std::fprintf(stderr, "the kernel sends no more\n"), 1;
}
