// SPDX-License-Identifier: Apache-2.0
// Random IPv6 packets that are likely to mean something to the filter: chains of extension headers, fragments
// that find their first, neighbour discovery with options that bind.
#pragma once

#include <random>

#include "packets6.hh"

namespace nlb::test {

class RandomIpv6 {
 public:
  [[nodiscard]] Frame packet(std::mt19937_64& random) const {
    Draw draw{random};
    if (draw.chance(3)) return discovery_packet(draw);
    const uint8_t protocol = draw.chance(12) ? static_cast<uint8_t>(draw.below(256))
                                             : draw.pick<uint8_t>({6, 6, 6, 17, 17, 58, 58, 47, 50, 132});
    Frame payload = transport(draw, protocol);
    uint8_t next = protocol;
    IpAddress from = draw.chance(30) ? ip6("::ffff:10.0.0.99") : client(draw.below(4096));
    if (draw.chance(4)) {  // few enough of them that later fragments find their first
      from = client(draw.below(2));
      const auto offset = static_cast<uint16_t>(draw.chance(2) ? draw.below(4) : 0);
      payload = joined({fragment_header(next, offset, draw.chance(2), draw.below(4)), payload});
      next = 44;
    }
    return ipv6(from, draw.chance(8) ? other(draw) : vip(draw), chained(draw, next, payload), payload, 64);
  }

 private:
  struct Draw {
    std::mt19937_64& random;
    uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random() % limit); }
    bool chance(uint32_t one_in) { return below(one_in) == 0; }
    template <typename T>
    T pick(std::initializer_list<T> choices) {
      return choices.begin()[below(static_cast<uint32_t>(choices.size()))];
    }
  };
  static IpAddress client(uint32_t number) {  // in a few dozen /64 networks
    IpAddress address = ip6("2001:db8:1::");
    address.octets[7] = static_cast<uint8_t>(number % 37);
    address.octets[14] = static_cast<uint8_t>(number >> 8);
    address.octets[15] = static_cast<uint8_t>(number);
    return address;
  }
  static IpAddress vip(Draw& draw) { return draw.pick({ip6("2001:db8::10"), ip6("2001:db8::11")}); }
  static IpAddress other(Draw& draw) {
    return draw.pick({ip6("2001:db8::1"), ip6("2001:db8::77"), ip6("::"), ip6("::ffff:10.0.0.10"),
                      ip6("ff02::1:ff00:10")});
  }
  // Puts up to ten extension headers in front; the type of the first is returned.
  static uint8_t chained(Draw& draw, uint8_t next, Frame& payload) {
    for (uint32_t count = draw.chance(4) ? draw.below(11) : 0; count > 0; --count) {
      const auto more = static_cast<uint8_t>(draw.chance(8) ? draw.below(12) : 0);
      payload = joined({extension(next, more), payload});
      next = draw.pick<uint8_t>({0, 43, 60, 60, 51, 135, 139, 140, 44});
    }
    return next;
  }
  static uint16_t port(Draw& draw) {
    return draw.chance(3) ? static_cast<uint16_t>(draw.below(65536))
                          : draw.pick<uint16_t>({80, 443, 23, 1000, 1999, 8080, 8090, 8100});
  }
  static Frame transport(Draw& draw, uint8_t protocol) {
    const auto from = static_cast<uint16_t>(draw.below(65536));
    if (protocol == 6) return tcp(from, port(draw), static_cast<uint8_t>(draw.below(64)), 1, 2);
    if (protocol == 17) return udp(from, port(draw), draw.below(40));
    if (protocol == 132) return sctp(port(draw));
    if (protocol != 58) return Frame(draw.below(40), 3);
    const auto type = draw.pick<uint8_t>({128, 129, 1, 2, 3, 4, 100, 130, 143, 135});
    return icmp(type, ipv6(draw.chance(4) ? other(draw) : vip(draw), client(1), 6, Frame(8, 0)));
  }
  static MacAddress any_mac(Draw& draw) {
    return draw.pick({mac("02:bf:0a:00:00:0a"), mac("02:bf:0a:00:00:0a"), mac("52:54:00:00:00:99"),
                      mac("52:54:00:00:00:01")});
  }
  static Frame options(Draw& draw) {
    Frame all;
    for (uint32_t count = draw.chance(3) ? draw.below(20) : draw.below(2); count > 0; --count) {
      const auto type = draw.pick<uint8_t>({kSourceOption, kTargetOption, 14});
      Frame one = link_layer(type, any_mac(draw));
      if (draw.chance(10)) one[1] = static_cast<uint8_t>(draw.below(4));
      all = joined({all, one});
    }
    return all;
  }
  static IpAddress anybody(Draw& draw) { return draw.chance(2) ? vip(draw) : other(draw); }
  static Frame discovery_packet(Draw& draw) {
    Frame message = router_solicitation(options(draw));
    if (draw.chance(8)) message = router_announcement(options(draw));
    if (!draw.chance(6)) message = solicitation(anybody(draw), options(draw));
    if (draw.chance(2)) message = advertisement(anybody(draw), options(draw));
    if (draw.chance(12)) message = nd_redirect(anybody(draw), anybody(draw), options(draw));
    if (draw.chance(20)) message[1] = 1;
    uint8_t next = 58;
    if (draw.chance(30)) {
      message = joined({fragment_header(58, 0, draw.chance(2)), message});
      next = 44;
    }
    next = chained(draw, next, message);
    const uint8_t hop_limit = draw.chance(20) ? 254 : 255;
    return ipv6(draw.chance(3) ? anybody(draw) : client(1), anybody(draw), next, message, hop_limit);
  }
};

}  // namespace nlb::test
