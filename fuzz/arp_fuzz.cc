// SPDX-License-Identifier: Apache-2.0
// ARP payloads as they come off the wire, on all the ways that lead into the daemon: the answer to a
// question, the claim to a VIP, the proof of the path. Octet by octet beside the parser: what the RFC says
// stands where.
#include <algorithm>

#include "core/address_claim.hh"
#include "core/path_proof.hh"
#include "require.hh"
#include "wire/arp.hh"

namespace {

using namespace nlb;
using fuzz::require;

const IpAddress kVip = IpAddress::v4(0x0a4d0064), kGateway = IpAddress::v4(0x0a4d0001);
constexpr MacAddress kOwn{{0x52, 0x54, 0, 0, 0, 1}};

uint32_t number(std::span<const uint8_t> from, std::size_t at) {
  return uint32_t{from[at]} << 24 | uint32_t{from[at + 1]} << 16 | uint32_t{from[at + 2]} << 8 | from[at + 3];
}

void check_fields(std::span<const uint8_t> payload, const ArpMessage& message) {
  require(payload.size() >= 28 && number(payload, 0) == 0x00010800);
  require(number(payload, 4) == (message.request ? 0x06040001U : 0x06040002U));
  require(
      std::equal(message.sender_mac.octets.begin(), message.sender_mac.octets.end(), payload.begin() + 8));
  require(message.sender == IpAddress::v4(number(payload, 14)));
  require(message.target == IpAddress::v4(number(payload, 24)));
  const auto again = parse_arp(arp_request(message.sender_mac, message.sender, message.target));
  require(again && again->request && again->sender_mac == message.sender_mac &&
          again->target == message.target);
  require(parse_arp(payload.first(28)) == message);  // what comes behind is padding
}

// Who is of the cluster is never a conflict; who is not, and says the VIP is his, always is.
void check_claim(const ArpMessage& message) {
  const auto macs = cluster_macs(kVip);
  const core::Claimants ours{macs.unicast, kVip, kOwn};
  for (const bool probing : {false, true}) {
    const auto conflict = core::conflict_in({kVip}, ours, message.request, message.sender_mac, message.sender,
                                            message.target, probing);
    if (conflict) require(conflict->address == kVip && !ours.contain(conflict->mac));
    if (message.sender == kVip) require(conflict.has_value() != ours.contain(message.sender_mac));
  }
}

// One answer, to whatever MAC, proves no more than one check.
void check_proof(const MacAddress& destination, const ArpMessage& message) {
  core::PathProof proof({kOwn, cluster_macs(kVip).unicast, masked_mac(kVip, 1), true}, 0);
  (void)proof.on_tick({kGateway}, 0);
  proof.on_answer(destination, message.sender, 1);
  (void)proof.on_tick({kGateway}, core::kPathInterval);
  const auto verdict = proof.verdict();
  require(verdict.reason != BindReason::none && !verdict.evidence.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::span<const uint8_t> input(data, size);
  const auto payload = input.subspan(std::min<std::size_t>(size, 6));  // behind the Ethernet destination
  const auto message = parse_arp(payload);
  const auto answer = parse_arp_reply(payload);
  require(answer.has_value() == (message && !message->request));
  if (answer) require(answer->address == message->sender && answer->mac == message->sender_mac);
  if (!message) return 0;
  check_fields(payload, *message);
  check_claim(*message);
  MacAddress destination;
  std::copy_n(input.begin(), 6, destination.octets.begin());
  check_proof(destination, *message);
  return 0;
}
