// SPDX-License-Identifier: Apache-2.0
// ARP inward: who is answered and how, what the kernel gets to see.
#include <cstring>

#include "fixtures.hh"

namespace nlb::test {
namespace {

constexpr uint16_t kRequest = 1, kReply = 2;
void unbound(Arrangement& a) {
  a.config.bound = false;
}
void no_lease(Arrangement& a) {
  a.lease = 0;
}
void replacing(Arrangement& a) {
  a.config.replace = true;
}
void foreign(Arrangement& a) {
  state(a, BucketState::foreign);
}

Frame arp(const MacAddress& to, const Arp& packet) {
  return Ethernet{to, packet.sender_mac}.wrap(0x0806, packet.bytes());
}
Frame spoiled(Frame frame, std::size_t at, uint8_t value) {
  frame[at] = value;
  return frame;
}
const Arp kWhoHasVip{kRequest, kClientMac, kClient, kNobody, kVip};
const Arp kWhoHasHost{kRequest, kClientMac, kClient, kNobody, kDedicated};
const Frame kAsked = arp(kBroadcast, kWhoHasVip);
Frame cut(Frame frame, std::size_t bytes) {
  frame.resize(bytes);
  return frame;
}

const Fixture kArp[] = {
    {"a request for the VIP is answered", kAsked, NLB_VERDICT_arp_answered},
    {"a request is answered though all buckets are foreign", kAsked, NLB_VERDICT_arp_answered, foreign},
    {"a request for the second VIP is answered",
     arp(kBroadcast, {kRequest, kClientMac, kClient, kNobody, kOtherVip}), NLB_VERDICT_arp_answered},
    {"a unicast request to the cluster MAC is answered", arp(kClusterMac, kWhoHasVip),
     NLB_VERDICT_arp_answered},
    {"a request with an unspecified sender is answered",
     arp(kBroadcast, {kRequest, kClientMac, 0, kNobody, kVip}), NLB_VERDICT_arp_answered},
    {"a padded request is answered",
     [] {
       Frame f = kAsked;
       f.resize(60);
       return f;
     }(),
     NLB_VERDICT_arp_answered},
    {"a request is not answered where nothing is bound", kAsked, NLB_VERDICT_not_bound, unbound},
    {"a request is not answered without a lease", kAsked, NLB_VERDICT_no_lease, no_lease},
    {"a request for another address is the kernels", arp(kBroadcast, kWhoHasHost), NLB_VERDICT_passed},
    {"a request for another address by the cluster MAC is dropped", arp(kClusterMac, kWhoHasHost),
     NLB_VERDICT_not_vip},
    {"a request for the dedicated address by the masked MAC is the hosts under replace",
     arp(kMaskedMac, kWhoHasHost), NLB_VERDICT_host, replacing},
    {"a reply to the dedicated address by the masked MAC is the hosts under replace",
     arp(kMaskedMac, {kReply, kClientMac, kClient, kMaskedMac, kDedicated}), NLB_VERDICT_host, replacing},
    {"a reply to the dedicated address by the own MAC passes",
     arp(kAdapterMac, {kReply, kClientMac, kClient, kAdapterMac, kDedicated}), NLB_VERDICT_passed},
    {"a reply to a VIP is accepted by all",
     arp(kAdapterMac, {kReply, kClientMac, kClient, kAdapterMac, kVip}), NLB_VERDICT_arp_to_vip, foreign},
    {"a reply to the cluster MAC is accepted by all",
     arp(kClusterMac, {kReply, kClientMac, kClient, kClusterMac, kDedicated}), NLB_VERDICT_arp_to_vip},
    {"a reply to a probe with the cluster MAC is accepted before anything is bound",
     arp(kClusterMac, {kReply, kClientMac, kClient, kClusterMac, 0}), NLB_VERDICT_arp_to_vip, unbound},
    {"an answer by a peer is known as such",
     arp(kClientMac, {kReply, kClusterMac, kVip, kClientMac, kClient}), NLB_VERDICT_arp_peer},
    {"an announcement by a peer is not answered",
     arp(kBroadcast, {kRequest, kClusterMac, kVip, kNobody, kVip}), NLB_VERDICT_arp_peer},
    {"an announcement of the VIP by another MAC is a conflict",
     arp(kBroadcast, {kRequest, kClientMac, kVip, kNobody, kVip}), NLB_VERDICT_vip_conflict},
    {"a reply that claims the VIP for another MAC is a conflict",
     arp(kAdapterMac, {kReply, kClientMac, kVip, kAdapterMac, kDedicated}), NLB_VERDICT_vip_conflict},
    {"a request that claims the VIP as sender is a conflict",
     arp(kBroadcast, {kRequest, kClientMac, kVip, kNobody, kDedicated}), NLB_VERDICT_vip_conflict},
    {"a conflict is seen where nothing is bound", arp(kBroadcast, {kReply, kClientMac, kVip, kNobody, kVip}),
     NLB_VERDICT_vip_conflict, unbound},
    {"ARP for another hardware passes", spoiled(kAsked, 15, 6), NLB_VERDICT_passed},
    {"ARP for another protocol passes", spoiled(kAsked, 16, 9), NLB_VERDICT_passed},
    {"ARP with another hardware length passes", spoiled(kAsked, 18, 8), NLB_VERDICT_passed},
    {"ARP with another protocol length passes", spoiled(kAsked, 19, 16), NLB_VERDICT_passed},
    {"ARP with an unknown operation passes", spoiled(kAsked, 21, 3), NLB_VERDICT_passed},
    {"ARP that is cut passes", cut(kAsked, 41), NLB_VERDICT_passed},
    {"ARP that is cut is dropped by the cluster MAC", cut(arp(kClusterMac, kWhoHasVip), 41),
     NLB_VERDICT_not_vip},
    {"a request with a VLAN number is another devices",
     Ethernet{kBroadcast, kClientMac, {5}}.wrap(0x0806, kWhoHasVip.bytes()), NLB_VERDICT_vlan},
    {"a request with a priority tag is answered",
     Ethernet{kBroadcast, kClientMac, {0}}.wrap(0x0806, kWhoHasVip.bytes()), NLB_VERDICT_arp_answered},
};
NLB_FIXTURES(ArpFixtures, kArp);

Frame answer_of(bool replace) {
  FilterConfig config = example_config();
  config.replace = replace;
  harness().configure(config);
  harness().set_lease(kForever);
  return harness().run(Hook::ingress, kAsked).frame;
}

TEST(ArpAnswer, binds_the_vip_to_the_cluster_mac_and_comes_from_the_own_mac) {
  const Arp answer{kReply, kClusterMac, kVip, kClientMac, kClient};
  const Frame wanted = Ethernet{kClientMac, kAdapterMac}.wrap(0x0806, answer.bytes());
  EXPECT_EQ(answer_of(false), wanted);
}

TEST(ArpAnswer, comes_from_the_masked_mac_under_replace) {
  const Arp answer{kReply, kClusterMac, kVip, kClientMac, kClient};
  const Frame wanted = Ethernet{kClientMac, kMaskedMac}.wrap(0x0806, answer.bytes());
  EXPECT_EQ(answer_of(true), wanted);
}

}  // namespace
}  // namespace nlb::test
