// SPDX-License-Identifier: Apache-2.0
// Random policies and frames that have something to do with each other: MACs, addresses and VLANs come from
// small pools, frames are built as a guest would, then spoiled in a few places. The sets are filled without
// regard to sense, so that every combination of owner, kind and flag comes up, also those that no daemon
// would write.
#pragma once

#include <random>

#include "fixtures.hh"

namespace nlb::test {

class GuardGenerator {
 public:
  explicit GuardGenerator(uint64_t seed) : random_(seed) {}
  void arrange();   // a new world in guard()
  void announce();  // what web1 and web2 have said of their buckets
  Frame frame();
  std::optional<OpenChecksum> checksum();  // for any frame

  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
  bool chance(uint32_t one_in) { return below(one_in) == 0; }
  [[nodiscard]] const nlb_guard_port& policy() const { return policy_; }

 private:
  template <typename T>
  T any(const std::vector<T>& pool) {
    return pool[below(static_cast<uint32_t>(pool.size()))];
  }
  template <typename T>
  T any(std::initializer_list<T> pool) {
    return pool.begin()[below(static_cast<uint32_t>(pool.size()))];
  }
  nlb_guard_port any_policy();
  uint16_t any_vlan() { return any<uint16_t>({0, 0, 0, 5, 7}); }
  uint16_t any_bridge() { return chance(6) ? 1 : 0; }
  uint32_t any_port();
  MacAddress any_mac();
  IpAddress any_ipv6();
  uint32_t any_ipv4();
  Frame payload(uint16_t type);
  Frame arp();
  Frame ipv4();
  Frame ipv6();
  Frame transport(uint8_t protocol, bool over_ipv6);
  Frame discovery_message();
  Frame options();
  Frame spoil(Frame frame);
  void steer();
  std::vector<uint32_t> any_members();
  Frame announcement();

  std::mt19937_64 random_;
  nlb_guard_port policy_{};
  MacAddress own_;
  uint32_t generation_ = 0;
};

}  // namespace nlb::test
