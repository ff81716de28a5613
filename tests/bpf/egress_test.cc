// SPDX-License-Identifier: Apache-2.0
// The way out: masking, ARP, RARP, neighbour discovery, delayed resets.
#include <linux/pkt_cls.h>

#include <thread>

#include "harness.hh"

namespace nlb::test {
namespace {

constexpr uint16_t kRequest = 1, kReply = 2;

struct EgressFixture {
  std::string sentence;
  Frame frame;
  nlb_verdict verdict;
  Frame out;  // empty: as it was
  bool replace = false, bound = true, dedicated = true;
};
void PrintTo(const EgressFixture& fixture, std::ostream* out) {
  *out << fixture.sentence;
}

Frame from(const MacAddress& source, uint16_t type = 0x0800,
           const Frame& payload = Ipv4{kVip, kClient}.wrap(6, tcp(80, 4, kAck))) {
  return Ethernet{kClientMac, source}.wrap(type, payload);
}
Frame arp(const MacAddress& source, const Arp& packet) {
  return from(source, 0x0806, packet.bytes());
}
Frame reply(const MacAddress& says, uint32_t address = kVip, const MacAddress& source = kAdapterMac) {
  return arp(source, {kReply, says, address, kClientMac, kClient});
}
Frame request(const MacAddress& says, uint32_t address, uint32_t target = kClient,
              const MacAddress& source = kAdapterMac) {
  return arp(source, {kRequest, says, address, kNobody, target});
}
Frame rarp(const MacAddress& source, const MacAddress& asks) {
  return from(source, 0x8035, Arp{3, asks, 0, asks, 0}.bytes());
}

const EgressFixture kEgress[] = {
    {"a frame from the own MAC leaves as it was", from(kAdapterMac), NLB_VERDICT_sent, {}},
    {"the cluster MAC as source is masked under replace", from(kClusterMac), NLB_VERDICT_masked,
     from(kMaskedMac), true},
    {"the cluster MAC as source is masked under add too", from(kClusterMac), NLB_VERDICT_masked,
     from(kMaskedMac)},
    {"the cluster MAC as source is masked where nothing is bound", from(kClusterMac), NLB_VERDICT_masked,
     from(kMaskedMac), false, false},
    {"the cluster MAC as source of IPv6 is masked", from(kClusterMac, 0x86dd, Frame(60, 6)),
     NLB_VERDICT_masked, from(kMaskedMac, 0x86dd, Frame(60, 6)), true},
    {"the cluster MAC as source of a heartbeat is masked", from(kClusterMac, 0x88b5, Frame(60, 6)),
     NLB_VERDICT_masked, from(kMaskedMac, 0x88b5, Frame(60, 6)), true},
    {"the cluster MAC as source behind a VLAN tag is masked",
     Ethernet{kClientMac, kClusterMac, {9}}.wrap(0x0800, Frame(40, 1)), NLB_VERDICT_masked,
     Ethernet{kClientMac, kMaskedMac, {9}}.wrap(0x0800, Frame(40, 1)), true},
    {"the cluster MAC as destination is let alone",
     Ethernet{kClusterMac, kAdapterMac}.wrap(0x0800, Frame(40, 1)),
     NLB_VERDICT_sent,
     {}},

    {"an answer that binds the VIP to the cluster MAC leaves", reply(kClusterMac), NLB_VERDICT_sent, {}},
    {"an answer with the cluster MAC by the cluster MAC is masked outside only",
     reply(kClusterMac, kVip, kClusterMac), NLB_VERDICT_masked, reply(kClusterMac, kVip, kMaskedMac), true},
    {"an answer that binds the VIP to the own MAC is mended", reply(kAdapterMac), NLB_VERDICT_arp_mended,
     reply(kClusterMac)},
    {"an answer that binds the VIP to the masked MAC is mended", reply(kMaskedMac), NLB_VERDICT_arp_mended,
     reply(kClusterMac), true},
    {"an answer for the VIP is not sent where nothing is bound",
     reply(kAdapterMac),
     NLB_VERDICT_arp_blocked,
     {},
     false,
     false},
    {"an answer with the cluster MAC is not sent where nothing is bound",
     reply(kClusterMac),
     NLB_VERDICT_arp_blocked,
     {},
     false,
     false},
    {"an announcement with the own MAC is mended", request(kAdapterMac, kVip, kVip), NLB_VERDICT_arp_mended,
     request(kClusterMac, kVip, kVip)},
    {"an announcement with the own MAC is not sent where nothing is bound",
     request(kAdapterMac, kVip, kVip),
     NLB_VERDICT_arp_blocked,
     {},
     false,
     false},
    {"an announcement with the cluster MAC leaves", request(kClusterMac, kVip, kVip), NLB_VERDICT_sent, {}},
    {"a request with the VIP as sender is asked for the dedicated address", request(kAdapterMac, kVip),
     NLB_VERDICT_arp_mended, request(kAdapterMac, kDedicated)},
    {"a request with the VIP as sender is asked from the masked MAC under replace",
     request(kAdapterMac, kVip), NLB_VERDICT_arp_mended, request(kMaskedMac, kDedicated), true},
    {"a request with the VIP as sender is mended where nothing is bound", request(kAdapterMac, kVip),
     NLB_VERDICT_arp_mended, request(kAdapterMac, kDedicated), false, false},
    {"a request with the VIP as sender is not sent without a dedicated address",
     request(kAdapterMac, kVip),
     NLB_VERDICT_arp_blocked,
     {},
     false,
     true,
     false},
    {"a request with the VIP at the cluster MAC leaves", request(kClusterMac, kVip), NLB_VERDICT_sent, {}},
    {"a request with the second VIP as sender is mended", request(kAdapterMac, kOtherVip),
     NLB_VERDICT_arp_mended, request(kAdapterMac, kDedicated)},
    {"a request of the dedicated address leaves", request(kAdapterMac, kDedicated), NLB_VERDICT_sent, {}},
    {"a request of the dedicated address with the cluster MAC is mended",
     request(kClusterMac, kDedicated, kClient, kClusterMac), NLB_VERDICT_arp_mended,
     request(kMaskedMac, kDedicated, kClient, kMaskedMac), true},
    {"an answer for the dedicated address with the cluster MAC is mended",
     reply(kClusterMac, kDedicated, kClusterMac), NLB_VERDICT_arp_mended,
     reply(kMaskedMac, kDedicated, kMaskedMac), true},
    {"a probe with the cluster MAC in its payload is let alone",
     request(kClusterMac, 0),
     NLB_VERDICT_sent,
     {}},
    {"a probe for the VIP leaves", request(kAdapterMac, 0, kVip), NLB_VERDICT_sent, {}, false, false},
    {"RARP with the cluster MAC inside is not sent",
     rarp(kAdapterMac, kClusterMac),
     NLB_VERDICT_rarp_blocked,
     {}},
    {"RARP from the cluster MAC is not sent",
     rarp(kClusterMac, kAdapterMac),
     NLB_VERDICT_rarp_blocked,
     {},
     true},
    {"RARP about the own MAC leaves", rarp(kAdapterMac, kAdapterMac), NLB_VERDICT_sent, {}},
    {"a reset with ACK leaves at once",
     from(kAdapterMac, 0x0800, Ipv4{kVip, kClient}.wrap(6, tcp(80, 4, kRst | kAck))),
     NLB_VERDICT_sent,
     {}},
    {"a bare reset from the VIP is held back",
     from(kAdapterMac, 0x0800, Ipv4{kVip, kClient}.wrap(6, tcp(80, 4, kRst))),
     NLB_VERDICT_reset_held,
     {}},
    {"a bare reset with IP options is held back",
     from(kAdapterMac, 0x0800, Ipv4{kVip, kClient, 1, 0, 40}.wrap(6, tcp(80, 4, kRst))),
     NLB_VERDICT_reset_held,
     {}},
    {"a bare reset from the dedicated address leaves",
     from(kAdapterMac, 0x0800, Ipv4{kDedicated, kClient}.wrap(6, tcp(80, 4, kRst))),
     NLB_VERDICT_sent,
     {}},
};

class EgressFixtures : public testing::TestWithParam<EgressFixture> {};

TEST_P(EgressFixtures, sent) {
  const EgressFixture& fixture = GetParam();
  FilterConfig config = example_config();
  config.replace = fixture.replace;
  config.bound = fixture.bound;
  if (!fixture.dedicated) config.dedicated_ip = IpAddress::v4(0);
  harness().configure(config);
  harness().set_all_buckets(BucketState::owned);
  harness().forget();
  const Outcome outcome = harness().run(Hook::egress, fixture.frame);
  EXPECT_EQ(verdict_name(outcome.verdict), verdict_name(fixture.verdict));
  const bool dropped = action_of(fixture.verdict) == NLB_ACTION_DROP;
  EXPECT_EQ(outcome.returned, dropped ? uint32_t{TC_ACT_SHOT} : static_cast<uint32_t>(TC_ACT_UNSPEC));
  if (!dropped) {
    EXPECT_EQ(outcome.frame, fixture.out.empty() ? fixture.frame : fixture.out);
  }
}
INSTANTIATE_TEST_SUITE_P(all, EgressFixtures, testing::ValuesIn(kEgress), [](const auto& one) {
  std::string name = one.param.sentence;
  for (char& letter : name) letter = std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
  return name;
});

class Resets : public testing::Test {
 protected:
  void SetUp() override {
    config_.reset_wait_ns = 20'000'000;
    harness().configure(config_);
    harness().set_all_buckets(BucketState::owned);
    harness().forget();
  }
  static std::string provoke(uint16_t port = 4) {
    return verdict_name(
        harness()
            .run(Hook::egress, from(kAdapterMac, 0x0800, Ipv4{kVip, kClient}.wrap(6, tcp(80, port, kRst))))
            .verdict);
  }
  static void wait() { std::this_thread::sleep_for(std::chrono::milliseconds(25)); }
  FilterConfig config_ = example_config();
};

TEST_F(Resets, leaves_when_provoked_again_after_the_wait) {
  EXPECT_EQ(provoke(), "reset_held");
  EXPECT_EQ(provoke(), "reset_held") << "again, but too early";
  wait();
  EXPECT_EQ(provoke(), "reset_sent");
}

TEST_F(Resets, flows_wait_each_for_itself) {
  EXPECT_EQ(provoke(4), "reset_held");
  wait();
  EXPECT_EQ(provoke(5), "reset_held");
  EXPECT_EQ(provoke(4), "reset_sent");
}

TEST_F(Resets, stays_held_while_the_bucket_is_in_transition) {
  harness().set_all_buckets(BucketState::owned_checked);
  EXPECT_EQ(provoke(), "reset_held");
  wait();
  EXPECT_EQ(provoke(), "reset_held");
  harness().set_all_buckets(BucketState::owned);
  EXPECT_EQ(provoke(), "reset_sent");
}

TEST_F(Resets, an_old_provocation_is_forgotten) {
  EXPECT_EQ(provoke(), "reset_held");
  harness().age_resets(11 * kSecond);
  EXPECT_EQ(provoke(), "reset_held");
  wait();
  EXPECT_EQ(provoke(), "reset_sent");
}

TEST_F(Resets, none_leaves_past_the_lease) {
  EXPECT_EQ(provoke(), "reset_held");
  wait();
  harness().set_lease(1);
  EXPECT_EQ(provoke(), "reset_held") << "another host may own the connection by now";
  harness().set_lease(INT64_MAX);
  EXPECT_EQ(provoke(), "reset_sent");
}

TEST(LateAnswers, a_syn_ack_leaves_only_from_the_owner_of_the_bucket) {
  harness().configure(example_config());
  const Frame syn_ack = from(kAdapterMac, 0x0800, Ipv4{kVip, kClient}.wrap(6, tcp(80, 4, kSyn | kAck)));
  const auto verdict_with = [&](BucketState state) {
    harness().set_all_buckets(state);
    return verdict_name(harness().run(Hook::egress, syn_ack).verdict);
  };
  harness().set_lease(boot_now() - kSecond);
  EXPECT_EQ(verdict_with(BucketState::owned), "answer_late") << "past the lease";
  harness().set_lease(kForever);
  EXPECT_EQ(verdict_with(BucketState::owned), "sent");
  EXPECT_EQ(verdict_with(BucketState::owned_checked), "sent");
  EXPECT_EQ(verdict_with(BucketState::foreign_checked), "answer_late");
  EXPECT_EQ(verdict_with(BucketState::foreign), "answer_late");
}

// RFC 4861: ICMPv6 type, checksum, option. The checksum is checked by computing it anew.
uint16_t icmpv6_checksum(const Frame& frame) {
  uint32_t sum = 58 + static_cast<uint32_t>(frame.size() - 54);
  for (std::size_t i = 22; i < frame.size(); i += 2) {
    if (i == 56) continue;
    sum += static_cast<uint32_t>(frame[i] << 8 | frame[i + 1]);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

Frame solicitation(uint8_t type, std::size_t option_at, const MacAddress& says) {
  Frame packet(40 + option_at + 8, 0);
  packet[0] = 0x60;
  packet[5] = static_cast<uint8_t>(option_at + 8);
  packet[6] = 58;
  packet[7] = 255;
  for (std::size_t i = 8; i < 40; ++i) packet[i] = static_cast<uint8_t>(i * 7);
  packet[40] = type;
  packet[40 + option_at] = 1;
  packet[41 + option_at] = 1;
  std::copy(says.octets.begin(), says.octets.end(),
            packet.begin() + static_cast<std::ptrdiff_t>(42 + option_at));
  Frame frame = Ethernet{kClientMac, kAdapterMac}.wrap(0x86dd, packet);
  const uint16_t sum = icmpv6_checksum(frame);
  frame[56] = static_cast<uint8_t>(sum >> 8);
  frame[57] = static_cast<uint8_t>(sum);
  return frame;
}

TEST(NeighbourDiscovery, the_cluster_mac_is_mended_with_its_checksum_under_replace) {
  FilterConfig config = example_config();
  config.replace = true;
  harness().configure(config);
  for (const auto& [type, at] : {std::pair<uint8_t, std::size_t>{133, 8}, {135, 24}, {136, 24}}) {
    const Outcome outcome = harness().run(Hook::egress, solicitation(type, at, kClusterMac));
    EXPECT_EQ(verdict_name(outcome.verdict), "nd_mended");
    EXPECT_EQ(outcome.frame, solicitation(type, at, kMaskedMac)) << int{type};
  }
}

TEST(NeighbourDiscovery, other_macs_are_let_alone) {
  FilterConfig config = example_config();
  config.replace = true;
  harness().configure(config);
  EXPECT_EQ(verdict_name(harness().run(Hook::egress, solicitation(135, 24, kAdapterMac)).verdict), "sent");
}

}  // namespace
}  // namespace nlb::test
