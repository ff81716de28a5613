// SPDX-License-Identifier: Apache-2.0
// Neighbour discovery as it comes off the wire, on the way that leads into the daemon: the claim to a VIP.
// Beside the parser: what RFC 4861 says stands where, and who of the cluster may say what.
#include <algorithm>

#include "core/address_claim.hh"
#include "require.hh"
#include "wire/nd.hh"

namespace {

using namespace nlb;
using fuzz::require;

const IpAddress kVip = *IpAddress::parse("fd77::100");
constexpr MacAddress kOwn{{0x52, 0x54, 0, 0, 0, 1}}, kStranger{{0x52, 0x54, 0, 0, 0, 9}};

bool stands_at(std::span<const uint8_t> packet, std::size_t at, const IpAddress& address) {
  return std::equal(address.octets.begin(), address.octets.end(),
                    packet.begin() + static_cast<std::ptrdiff_t>(at));
}

void check_fields(std::span<const uint8_t> packet, const NdMessage& message) {
  require(packet.size() >= 64 && packet[6] == 58 && packet[7] == 255 && packet[41] == 0);
  require(packet[40] == (message.solicitation ? 135 : 136));
  require(stands_at(packet, 8, message.source) && stands_at(packet, 48, message.target));
  if (message.mac || message.nonce) require(packet.size() >= 72);
}

// Who is of the cluster is never a conflict; who is not, and says the VIP is his, always is.
void check_claim(const NdMessage& message) {
  const core::Claimants ours{cluster_macs(kVip).unicast, kVip, kOwn};
  const IpAddress& claimed = message.solicitation ? message.source : message.target;
  for (const bool probing : {false, true}) {
    const auto conflict = core::conflict_in({kVip}, ours, message, kStranger, probing);
    if (conflict) require(conflict->address == kVip && !ours.contain(conflict->mac));
    if (claimed == kVip && message.nonce != ours.cluster)
      require(conflict.has_value() != ours.contain(message.mac.value_or(kStranger)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  std::vector<uint8_t> packet(data, data + size);
  if (packet.size() >= 44) {  // a right checksum, which no fuzzer finds by itself
    const auto payload = static_cast<std::size_t>(packet[4] << 8 | packet[5]);
    const std::size_t end = std::min(packet.size(), 40 + payload);
    uint32_t sum = 58 + static_cast<uint32_t>(end - 40);
    packet[42] = packet[43] = 0;
    for (std::size_t i = 8; i < end; ++i) sum += i % 2 == 0 ? uint32_t{packet[i]} << 8 : packet[i];
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    packet[42] = static_cast<uint8_t>(~sum >> 8);
    packet[43] = static_cast<uint8_t>(~sum);
  }
  const auto message = parse_nd(packet);
  if (!message) return 0;
  check_fields(packet, *message);
  check_claim(*message);
  return 0;
}
