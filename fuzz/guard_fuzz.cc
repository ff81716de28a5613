// SPDX-License-Identifier: Apache-2.0
// A frame at the ports of a guarded bridge, as the C++ model judges it (tests/guard holds the model to the
// kernel programs). The first octet chooses port and direction. Beside the model stand the promises of the
// settings, read off the frame's first octets alone.
#include <algorithm>
#include <cstring>

#include "guard/guard_model.hh"
#include "require.hh"

namespace {

using namespace nlb;
using fuzz::require;

constexpr uint32_t kOffPort = 1, kMember = 2, kSpoofer = 3, kUplink = 4, kAuditPort = 5;
constexpr uint16_t kWeb = 1;
constexpr MacAddress kOffMac{{0x52, 0x54, 0, 0, 0, 1}}, kMemberMac{{0x52, 0x54, 0, 0, 0, 2}};
constexpr MacAddress kSpooferMac{{0x52, 0x54, 0, 0, 0, 3}};
const IpAddress kVip = IpAddress::v4(0x0a4d0064), kOffIp = IpAddress::v4(0x0a4d000b);

nlb_guard_port guest(nlb_guard_spoofing spoofing, const MacAddress& mac, uint32_t flags = 0) {
  nlb_guard_port port{};
  port.role = NLB_GUARD_ROLE_GUEST;
  port.spoofing = static_cast<__u8>(spoofing);
  port.flags = flags;
  std::memcpy(port.mac, mac.octets.data(), 6);
  return port;
}

nlb_guard_address at_mac(nlb_guard_address_kind kind, uint32_t ifindex, uint16_t cluster,
                         const MacAddress& mac) {
  nlb_guard_address entry{};
  entry.ifindex = ifindex;
  entry.cluster = cluster;
  entry.kind = static_cast<__u8>(kind);
  std::memcpy(entry.mac, mac.octets.data(), 6);
  return entry;
}

GuardModel bridge() {
  GuardModel model;
  constexpr uint32_t kGuards =
      NLB_GUARD_PORT_DHCP_GUARD | NLB_GUARD_PORT_ROUTER_GUARD | NLB_GUARD_PORT_ADDRESSES_SET;
  model.set_port(kOffPort, guest(NLB_GUARD_SPOOFING_OFF, kOffMac, kGuards));
  model.set_port(kAuditPort, guest(NLB_GUARD_SPOOFING_OFF, kOffMac, kGuards | NLB_GUARD_PORT_AUDIT));
  auto member = guest(NLB_GUARD_SPOOFING_CLUSTER, kMemberMac);
  member.cluster = kWeb;
  member.host_id = 2;
  std::memcpy(member.masked_mac, masked_mac(kVip, 2).octets.data(), 6);
  model.set_port(kMember, member);
  auto spoofer = guest(NLB_GUARD_SPOOFING_ON, kSpooferMac);
  spoofer.max_macs = 2;
  model.set_port(kSpoofer, spoofer);
  nlb_guard_port uplink{};
  uplink.role = NLB_GUARD_ROLE_UPLINK;
  model.set_port(kUplink, uplink);
  const auto macs = cluster_macs(kVip);
  const GuardSegment any{NLB_GUARD_ANY_VLAN, 0}, untagged{};
  model.set_mac(any, kOffMac, {kOffPort, 0, NLB_GUARD_MAC_PORT, 0});
  model.set_mac(any, kMemberMac, {kMember, kWeb, NLB_GUARD_MAC_PORT, 0});
  model.set_mac(any, kSpooferMac, {kSpoofer, 0, NLB_GUARD_MAC_PORT, 0});
  model.set_mac(untagged, macs.unicast, {0, kWeb, NLB_GUARD_MAC_CLUSTER, 0});
  model.set_mac(untagged, macs.heartbeat_group, {0, kWeb, NLB_GUARD_MAC_GROUP, 0});
  for (uint8_t id = 1; id <= 3; ++id)
    model.set_mac(untagged, masked_mac(kVip, id), {id == 2 ? kMember : 0, kWeb, NLB_GUARD_MAC_MASKED, id});
  model.set_address(untagged, kVip, at_mac(NLB_GUARD_ADDRESS_VIP, 0, kWeb, macs.unicast));
  model.set_address(untagged, kOffIp, at_mac(NLB_GUARD_ADDRESS_OWN, kOffPort, 0, kOffMac));
  return model;
}

MacAddress mac_at(Octets frame, std::size_t at) {
  MacAddress mac;
  std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), 6, mac.octets.begin());
  return mac;
}

// An untagged ARP message for IPv4 over Ethernet, as far as its sender fields.
bool is_plain_arp(Octets frame) {
  static constexpr uint8_t start[] = {8, 6, 0, 1, 8, 0, 6, 4, 0};
  return frame.size() >= 42 && std::equal(std::begin(start), std::end(start), frame.begin() + 12);
}

// What left port `port` as a guest's frame.
void check_sent(uint32_t port, Octets frame) {
  require(frame.size() >= 14);
  const MacAddress source = mac_at(frame, 6);
  require((source.octets[0] & 1) == 0 && !source.is_zero());
  const bool tagged = frame[12] == 0x81 && frame[13] == 0;
  if (!tagged) require(source != cluster_macs(kVip).unicast);  // declared in the untagged segment
  if (port == kOffPort) require(source == kOffMac);
  if (port == kMember) require(source == kMemberMac || source == masked_mac(kVip, 2));
  if (port == kSpoofer) require(source != kOffMac && source != kMemberMac);
  if (!is_plain_arp(frame)) return;
  const auto sender_mac = mac_at(frame, 22);
  const bool claims_vip = std::equal(frame.begin() + 28, frame.begin() + 32, kVip.octets.begin() + 12);
  if (port == kOffPort) require(sender_mac == kOffMac && !claims_vip);
  if (port == kMember && claims_vip) require(sender_mac == cluster_macs(kVip).unicast);
  if (port == kSpoofer) require(!claims_vip);
}

// What came in at a guest: unicast to it, or to whom it is a member with.
void check_received(uint32_t port, Octets frame) {
  require(frame.size() >= 12);
  const MacAddress destination = mac_at(frame, 0);
  if ((destination.octets[0] & 1) != 0) return;
  if (port == kOffPort) require(destination == kOffMac);
  if (port == kMember)
    require(destination == kMemberMac || destination == cluster_macs(kVip).unicast ||
            destination == masked_mac(kVip, 2));
}

void check_audit(GuardModel& model, const TaggedFrame& frame, nlb_guard_direction direction) {
  // Only counts; what it counts is what the port of the same policy drops, but for its own index.
  const auto seen = direction == NLB_GUARD_TRANSMIT ? model.transmit(kAuditPort, frame, 1)
                                                    : model.receive(kAuditPort, frame, 1);
  require(!seen.dropped);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  static const GuardModel world = bridge();
  GuardModel model = world;
  const uint32_t port = data[0] % 4U + 1;
  const bool sends = (data[0] & 4) != 0, tag_taken = (data[0] & 8) != 0;
  TaggedFrame frame{Octets(data + 3, size - 3)};
  if (tag_taken) frame.tag = static_cast<uint16_t>(data[1] << 8 | data[2]);
  frame.is_large = (data[0] & 16) != 0;
  const auto decision = sends ? model.transmit(port, frame, 1) : model.receive(port, frame, 1);
  require(decision.dropped == (decision.reason != NLB_GUARD_REASON_passed));
  require(decision.reason < NLB_GUARD_REASON_COUNT && *guard_reason_text(decision.reason) != '\0');
  if (!decision.dropped && !tag_taken && port != kUplink)
    sends ? check_sent(port, frame.octets) : check_received(port, frame.octets);
  check_audit(model, frame, sends ? NLB_GUARD_TRANSMIT : NLB_GUARD_RECEIVE);
  GuardModel again = world;
  const auto same = sends ? again.transmit(port, frame, 1) : again.receive(port, frame, 1);
  require(same.reason == decision.reason && same.mac == decision.mac && same.address == decision.address);
  return 0;
}
