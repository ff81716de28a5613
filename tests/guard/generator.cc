// SPDX-License-Identifier: Apache-2.0
#include "generator.hh"

#include <algorithm>
#include <cstring>

namespace nlb::test {
namespace {

const std::vector<MacAddress>& macs() {
  static const std::vector<MacAddress> pool{
      kOwn,   kWeb2,       kOther,    kStrange,  kGateway, kWebMac,  kWebGroup,  kMasked1, kMasked2, kMasked3,
      kRogue, kRogueGroup, kVirtual4, kVirtual6, kShopMac, kMailMac, kMailGroup, kNested1, kPlainMac};
  return pool;
}
const std::vector<MacAddress>& odd_macs() {
  static const std::vector<MacAddress> pool{
      kNone,
      kAll,
      mac("01:80:c2:00:00:00"),
      mac("01:80:c2:00:00:0e"),
      mac("01:80:c2:00:00:10"),
      mac("01:00:0c:cc:cc:cd"),
      mac("01:00:5e:00:00:12"),
      mac("33:33:00:00:00:01"),
  };
  return pool;
}
const std::vector<uint32_t>& ipv4s() {
  static const std::vector<uint32_t> pool{kIp,      kIp2,     kOtherIp,   kFree,     kGatewayIp, kWebVip,
                                          kShopVip, kMailVip, kNestedVip, kPlainVip, 0};
  return pool;
}
const std::vector<IpAddress>& ipv6s() {
  static const std::vector<IpAddress> pool{
      kIp6,           kIp62,       kOtherIp6, kFree6, kWebVip6,
      kLocal6,        kRouterVip6, kStrange6, kAny6,  ip6("::ffff:10.77.0.13"),
      ip6("fec0::1"), kAllNodes};
  return pool;
}

void put(__u8 (&to)[6], const MacAddress& mac) {
  std::memcpy(to, mac.octets.data(), 6);
}

}  // namespace

uint32_t GuardGenerator::any_port() {
  return any({uint32_t{0}, web1(), web1(), web2(), other()});
}
MacAddress GuardGenerator::any_mac() {
  if (chance(3)) return own_;
  return chance(8) ? any(odd_macs()) : any(macs());
}
uint32_t GuardGenerator::any_ipv4() {
  return any(ipv4s());
}
IpAddress GuardGenerator::any_ipv6() {
  return any(ipv6s());
}

nlb_guard_port GuardGenerator::any_policy() {
  nlb_guard_port policy{};
  policy.role = chance(5) ? NLB_GUARD_ROLE_UPLINK : NLB_GUARD_ROLE_GUEST;
  policy.spoofing = static_cast<__u8>(below(3));
  policy.violation = static_cast<__u8>(chance(4) ? below(3) : 0);
  policy.flags = (below(128) | (chance(2) ? NLB_GUARD_PORT_DIRECTS : 0)) &
                 (chance(6) ? ~0U : ~uint32_t{NLB_GUARD_PORT_AUDIT});
  if (chance(16)) policy.flags |= NLB_GUARD_PORT_FENCED;
  policy.storm_limit_pps = chance(3) ? 1 + below(1000) : 0;
  policy.max_macs = chance(2) ? 1 + below(3) : 0;
  policy.vlan = any_vlan();
  policy.cluster = static_cast<__u16>(below(5));
  policy.bridge = any_bridge();
  policy.host_id = static_cast<__u8>(1 + below(3));
  own_ = chance(20) ? kNone : kOwn;
  put(policy.mac, own_);
  put(policy.masked_mac, kMasked1);
  return policy;
}

void GuardGenerator::arrange() {
  guard().clear();
  policy_ = any_policy();
  for (const MacAddress& one : macs()) {
    if (chance(3)) continue;
    const uint16_t vlan = chance(3) ? uint16_t{NLB_GUARD_ANY_VLAN} : any_vlan();
    const auto cluster = static_cast<__u16>(below(5));
    const auto host = static_cast<__u8>(1 + below(3));
    guard().set_mac({vlan, any_bridge()}, one, {any_port(), cluster, static_cast<__u8>(below(5)), host});
  }
  for (std::size_t i = 0; i < ipv4s().size() + ipv6s().size(); ++i) {
    if (chance(3)) continue;
    nlb_guard_address entry{any_port(),
                            static_cast<__u16>(below(5)),
                            static_cast<__u8>(below(2)),
                            static_cast<__u8>(chance(2) ? below(8) : 0),
                            {},
                            {}};
    put(entry.mac, chance(6) ? kNone : chance(2) ? kOwn : any(macs()));
    put(entry.other_mac, chance(2) ? kNone : any(macs()));
    const IpAddress address = i < ipv4s().size() ? IpAddress::v4(ipv4s()[i]) : ipv6s()[i - ipv4s().size()];
    guard().set_address({any_vlan(), any_bridge()}, address, entry);
  }
  guard().set_port(web1(), policy_);
  nlb_guard_port neighbour = policy_;
  put(neighbour.mac, chance(8) ? kNone : kWeb2);
  guard().set_port(web2(), neighbour);
  steer();
}

// Every second row is full, so that one frame in a few is held back and one in a few is not.
void GuardGenerator::steer() {
  if (chance(4)) return;
  wire::SteeringContent content;
  content.rules.seed[0] = static_cast<uint8_t>(random_());
  for (const uint32_t address : ipv4s())
    if (chance(2)) content.rules.vips.push_back(IpAddress::v4(address));
  // Once each, as the wire has it: 10.77.0.13 is among both kinds.
  auto& vips = content.rules.vips;
  for (const IpAddress& address : ipv6s())
    if (chance(2) && std::find(vips.begin(), vips.end(), address) == vips.end()) vips.push_back(address);
  for (uint32_t rules = below(6); rules > 0; --rules) {
    const auto first = any<uint16_t>({0, 68, 80, 81});
    content.rules.ports.push_back(
        {static_cast<uint8_t>(below(4)),
         static_cast<uint8_t>(chance(2) ? 0 : below(static_cast<uint32_t>(content.rules.vips.size() + 1))),
         chance(2), chance(2), first,
         static_cast<uint16_t>(first + (chance(8) ? 65535 - first : below(20)))});
  }
  for (const uint8_t slot : {uint8_t{0}, uint8_t{1}, uint8_t{2}, uint8_t{NLB_SLOT_DEFAULT}}) {
    content.rules.affinities[slot] = static_cast<uint8_t>(below(3));
    if (chance(6)) continue;
    auto& row = content.rows[slot];
    if (chance(2)) row.set();
    for (uint32_t bits = below(64); bits > 0; --bits) row.flip(below(kBucketCount));
  }
  generation_ = static_cast<uint32_t>(random_());
  auto earlier = content.rows;
  for (auto& [slot, row] : earlier)
    for (uint32_t bits = below(64); bits > 0; --bits) row.flip(below(kBucketCount));
  guard().set_steering(web1(), generation_, content,
                       chance(2) ? earlier : decltype(wire::SteeringContent::rows){});
  auto of_neighbour = content;
  for (auto& [slot, row] : of_neighbour.rows) chance(3) ? row.reset() : row.flip();
  if (chance(8)) of_neighbour.rules.ports.clear();
  guard().set_steering(web2(), generation_, of_neighbour, {}, of_neighbour.rules == content.rules ? 0 : 1);
  if (!chance(8)) guard().set_members(policy_.bridge, policy_.cluster, kWebMac, any_members(), !chance(8));
  for (const MacAddress& shared : {kWebMac, kWebGroup, kShopMac})
    guard().set_mac({policy_.vlan, policy_.bridge}, shared, {0, policy_.cluster, NLB_GUARD_MAC_CLUSTER, 0});
}

std::vector<uint32_t> GuardGenerator::any_members() {
  if (chance(8)) return {};
  return chance(3) ? std::vector{web1()} : std::vector{web1(), web2()};
}

// A frame in some announces something else, or the announcement has grown old.
void GuardGenerator::announce() {
  const Nanos ago = chance(12) ? static_cast<Nanos>(NLB_STEERING_FRESH_NS) + kSecond : 0;
  guard().set_announced(web1(), generation_ + (chance(12) ? 1 : 0), ago);
  guard().set_announced(web2(), generation_ + (chance(12) ? 1 : 0), 0);
}

Frame GuardGenerator::announcement() {
  Frame said = wire::encode_steering_mark(generation_, chance(2));
  if (chance(8)) said[below(5)] = static_cast<uint8_t>(random_());
  return Ethernet{mac("01:80:c2:00:00:0e"), own_}.wrap(NLB_ETHERTYPE_POLICY, said);
}

Frame GuardGenerator::frame() {
  if (chance(32)) return spoil(announcement());
  // A plain packet to a MAC of many: rare enough otherwise that what is held back does not come up.
  if (chance(16))
    return spoil(Ethernet{any({kWebMac, kWebGroup, kShopMac}), own_}.wrap(
        0x0800, Ipv4{any_ipv4(), any_ipv4()}.wrap(chance(2) ? 6 : 17,
                                                  chance(2) ? tcp(1000, 80, kSyn) : udp(1000, 80))));
  // Without these a member's heartbeats are so rare that their limit does not come up in every run.
  if (chance(16)) return spoil(Ethernet{kWebGroup, own_}.wrap(0x88b5, Frame(46, 0)));
  if (chance(16))
    return spoil(Ethernet{any({kWebGroup, kMailMac}), own_}.wrap(
        0x0800, Ipv4{any_ipv4(), any_ipv4()}.wrap(253, Frame(46, 0))));
  const uint16_t type = any<uint16_t>({0x0806, 0x0806, 0x0806, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x86dd, 0x86dd,
                                       0x8035, 0x88b5, 0x886f, NLB_ETHERTYPE_POLICY, 0x88cc, 0x1234, 0x8100});
  const Ethernet ethernet{any_mac(), chance(4) ? any_mac() : own_};
  Frame data = payload(type);
  Frame made = ethernet.wrap(type, data);
  if (chance(12)) {  // 802.3
    Frame llc{0xaa, 0xaa, 3, 0, 0, any<uint8_t>({0, 0, 0xf8, 0x0c})};
    put16(llc, type);
    if (chance(4)) llc[below(3)] = static_cast<uint8_t>(random_());
    made = ethernet.wrap(static_cast<uint16_t>(data.size() & 1023), joined({llc, data}));
  }
  for (uint32_t tags = chance(4) ? (chance(4) ? 2 + below(2) : 1) : 0; tags > 0; --tags)
    made = tagged(made, {static_cast<uint16_t>(any_vlan() | (chance(4) ? 0xe000 : 0))},
                  chance(8) ? 0x88a8 : 0x8100);
  return spoil(made);
}

// Mostly where TCP and UDP have it behind some header, or near.
std::optional<OpenChecksum> GuardGenerator::checksum() {
  if (!chance(12)) return std::nullopt;
  const int begin = chance(4) ? static_cast<int>(below(120)) : any<int>({34, 34, 38, 42, 54, 54, 58, 62});
  return OpenChecksum{begin, begin + (chance(2) ? any<int>({16, 6, 8, 4, 2}) : static_cast<int>(below(64)))};
}

Frame GuardGenerator::spoil(Frame frame) {
  if (chance(12)) frame.resize(15 + below(static_cast<uint32_t>(frame.size())));
  for (uint32_t spoils = chance(4) ? 1 + below(3) : 0; spoils > 0; --spoils)
    frame[below(static_cast<uint32_t>(std::min<std::size_t>(frame.size(), 128)))] =
        static_cast<uint8_t>(random_());
  return frame;
}

Frame GuardGenerator::payload(uint16_t type) {
  switch (type) {
    case 0x0800:
      return ipv4();
    case 0x86dd:
      return ipv6();
    case 0x0806:
    case 0x8035:
      return arp();
    default:
      return Frame(46, 0);
  }
}

Frame GuardGenerator::arp() {
  const uint32_t sender = any_ipv4();
  const auto operation = static_cast<uint16_t>(chance(8) ? below(10) : 1 + below(2));
  return Arp{operation, any_mac(), sender, any_mac(), chance(3) ? sender : any_ipv4()}.bytes();
}

Frame GuardGenerator::ipv4() {
  Ipv4 header{any_ipv4(), any_ipv4(), 1, 0, chance(6) ? 4 * below(11) : 0};
  if (chance(6))
    header.fragment = static_cast<uint16_t>((chance(2) ? 0x2000 : 0) | (chance(2) ? below(4) : 0));
  const auto protocol = any<uint8_t>({1, 6, 17, 17, 112, 112, 47});
  return header.wrap(protocol, transport(protocol, false));
}

Frame GuardGenerator::transport(uint8_t protocol, bool over_ipv6) {
  if (chance(12)) return Frame(below(4), 1);
  const uint16_t server = over_ipv6 ? 547 : 67;
  switch (protocol) {
    case 1:
      return icmp(any<uint8_t>({0, 5, 5, 8}));
    case 17:
      return udp(chance(2) ? server : uint16_t{5353}, 68);
    case 112:
      return {0x31, any<uint8_t>({0x33, 0x3c, 0x34}), 100, 1, 0, 1, 0, 0};
    case 58:
      return discovery_message();
    default:
      return tcp(1000, 80, kSyn);
  }
}

Frame GuardGenerator::options() {
  Frame all;
  for (uint32_t count = chance(12) ? below(chance(8) ? 200 : 20) : below(3); count > 0; --count) {
    Frame option = link_layer(any<uint8_t>({1, 2, 2, 1, 14}), any_mac());
    if (chance(16)) option[1] = static_cast<uint8_t>(below(3));
    all = joined({all, option});
  }
  return all;
}

Frame GuardGenerator::discovery_message() {
  switch (below(7)) {
    case 0:
      return router_solicitation(options());
    case 1:
      return router_announcement(options());
    case 2:
    case 3:
      return solicitation(any_ipv6(), options());
    case 4:
    case 5:
      return advertisement(any_ipv6(), options());
    default:
      return nd_redirect(any_ipv6(), any_ipv6(), options());
  }
}

Frame GuardGenerator::ipv6() {
  auto next = any<uint8_t>({6, 17, 58, 58, 58, 58, 112});
  Frame made = transport(next, true);
  for (uint32_t headers = chance(4) ? 1 + (chance(4) ? below(10) : below(2)) : 0; headers > 0; --headers) {
    const auto kind = any<uint8_t>({0, 43, 44, 51, 60, 135, 139, 140});
    Frame header = extension(next, kind == 51 ? uint8_t{0} : static_cast<uint8_t>(chance(4) ? below(3) : 0));
    if (kind == 44)
      header = fragment_header(next, static_cast<uint16_t>(chance(3) ? below(3) : 0), chance(2));
    made = joined({header, made});
    next = kind;
  }
  Frame packet = nlb::test::ipv6(any_ipv6(), any_ipv6(), next, made);
  if (chance(16)) packet[5] = static_cast<uint8_t>(packet[5] + below(17) - 8);
  return packet;
}

}  // namespace nlb::test
