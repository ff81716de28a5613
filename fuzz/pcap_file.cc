// SPDX-License-Identifier: Apache-2.0
#include "pcap_file.hh"

namespace nlb::fuzz {
namespace {

constexpr std::size_t kHeaderBytes = 24, kRecordBytes = 16, kLinkAt = 20, kLengthAt = 8;
constexpr uint32_t kMicroseconds = 0xa1b2c3d4, kNanoseconds = 0xa1b23c4d, kEthernet = 1;

uint32_t number(Octets from, std::size_t at, bool big_endian) {
  uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | from[at + (big_endian ? i : 3 - i)];
  return value;
}

bool is_magic(uint32_t value) {
  return value == kMicroseconds || value == kNanoseconds;
}

}  // namespace

std::optional<std::vector<Octets>> read_pcap(Octets file) {
  if (file.size() < kHeaderBytes) return std::nullopt;
  const bool big_endian = is_magic(number(file, 0, true));
  if (!big_endian && !is_magic(number(file, 0, false))) return std::nullopt;
  if (number(file, kLinkAt, big_endian) != kEthernet) return std::nullopt;
  std::vector<Octets> frames;
  for (Octets rest = file.subspan(kHeaderBytes); rest.size() >= kRecordBytes;) {
    const uint32_t length = number(rest, kLengthAt, big_endian);
    if (length > rest.size() - kRecordBytes) break;
    frames.push_back(rest.subspan(kRecordBytes, length));
    rest = rest.subspan(kRecordBytes + length);
  }
  return frames;
}

}  // namespace nlb::fuzz
