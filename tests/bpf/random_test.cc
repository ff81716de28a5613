// SPDX-License-Identifier: Apache-2.0
// Three decisions about the same random frames: the kernel programs (XDP and tc), the C++ model, and a naive
// Python oracle that was written from the description alone (oracle.py). NLB_RANDOM_PACKETS says how many
// (200,000), and NLB_RANDOM_SEED repeats a run.
#include <cstdio>
#include <cstdlib>
#include <random>

#include "datapath/visit_memory.hh"
#include "harness.hh"
#include "heartbeats.hh"
#include "random_ipv6.hh"

namespace nlb::test {
namespace {

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
  bool chance(uint32_t one_in) { return below(one_in) == 0; }
  template <typename T, std::size_t N>
  T pick(const T (&choices)[N]) {
    return choices[below(N)];
  }

  Frame frame() {
    Ethernet ethernet{pick(kTo), pick(kFrom), {}};
    for (uint32_t tags = chance(8) ? 1 + below(3) : 0; tags > 0; --tags) {
      ethernet.tags.push_back(chance(2) ? uint16_t{0} : static_cast<uint16_t>(below(65536)));
    }
    if (chance(12)) return said(ethernet);
    Frame made = chance(6)   ? ethernet.wrap(0x0806, arp())
                 : chance(2) ? ethernet.wrap(0x86dd, ipv6.packet(random_))
                             : ethernet.wrap(type(), ipv4());
    if (chance(10)) made.resize(34 + below(static_cast<uint32_t>(made.size())));
    for (uint32_t spoils = chance(4) ? 1 + below(3) : 0; spoils > 0; --spoils) {
      made[below(static_cast<uint32_t>(made.size()))] = static_cast<uint8_t>(random_());
    }
    return made;
  }

 private:
  // Members' heartbeats and what somebody makes of them. Sequence numbers come in no order.
  Frame said(const Ethernet& ethernet) {
    const Speaker speaker{chance(3) ? static_cast<HostId>(below(80)) : kBelieved.id,
                          chance(3) ? uint64_t{below(3)} : kBelieved.incarnation, 95 + below(1000)};
    Frame payload = heartbeat(speaker, chance(6) ? other_tag_key() : tag_key(), below(200));
    if (chance(4)) payload.resize(payload.size() - below(60));  // the shortest has 68
    if (chance(4)) payload.resize(payload.size() + below(9), 0);
    if (chance(3))
      payload[below(static_cast<uint32_t>(payload.size()))] ^= static_cast<uint8_t>(1 << below(8));
    if (chance(2)) return ethernet.wrap(0x88b5, payload);
    uint8_t hops = chance(6) ? uint8_t{64} : uint8_t{255};
    if (chance(3))
      return ethernet.wrap(
          0x86dd, nlb::test::ipv6(ip6("2001:db8::7"), ip6(chance(6) ? "2001:db8::9" : "2001:db8::10"), 253,
                                  payload, hops));
    const uint32_t to = chance(3) ? kIgmpGroup : destination();
    if (to == kIgmpGroup && !chance(6)) hops = 1;
    Frame packet = Ipv4{chance(4) ? 0U : client(), to, 0, pick({uint16_t{0x4000}, uint16_t{0x2000}}),
                        chance(6) ? 4U : 0U}
                       .wrap(253, payload);
    packet[8] = hops;
    return ethernet.wrap(0x0800, packet);
  }
  uint16_t type() {
    return chance(12) ? pick({uint16_t{0x88b5}, uint16_t{0x1234}, uint16_t{0x8100}}) : uint16_t{0x0800};
  }
  template <typename T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[below(static_cast<uint32_t>(choices.size()))];
  }
  uint32_t destination() {
    return chance(6) ? pick({kDedicated, kStranger, uint32_t{0}, kIgmpGroup}) : pick({kVip, kOtherVip});
  }
  uint32_t client() { return 0x0a000000U + below(4096); }
  uint16_t port() {
    return chance(3) ? static_cast<uint16_t>(below(65536))
                     : pick({uint16_t{80}, uint16_t{443}, uint16_t{23}, uint16_t{1000}, uint16_t{1999},
                             uint16_t{2000}, uint16_t{8080}, uint16_t{8081}, uint16_t{8100}});
  }
  Frame arp() {
    return Arp{static_cast<uint16_t>(chance(8) ? below(4) : 1 + below(2)), pick(kFrom),
               pick({kClient, kVip, kDedicated, uint32_t{0}}), pick(kTo), destination()}
        .bytes();
  }
  Frame ipv4() {
    Ipv4 header{client(), destination(), static_cast<uint16_t>(below(64)), 0, chance(6) ? 4 * below(11) : 0};
    if (chance(5)) {  // few enough of them that later fragments find their first
      header.from = 0x0a000000U + below(2);
      header.id = static_cast<uint16_t>(below(4));
      header.fragment = static_cast<uint16_t>((chance(2) ? 0x2000 : 0) | (chance(2) ? below(4) : 0));
    }
    const uint8_t protocol =
        chance(12) ? static_cast<uint8_t>(below(256))
                   : pick({uint8_t{6}, uint8_t{6}, uint8_t{17}, uint8_t{1}, kPortless[below(4)]});
    return header.wrap(protocol, payload(protocol));
  }
  Frame payload(uint8_t protocol) {
    if (protocol == 6)
      return tcp(static_cast<uint16_t>(below(65536)), port(), static_cast<uint8_t>(below(64)), 1, 2);
    if (protocol == 17) return udp(static_cast<uint16_t>(below(65536)), port(), below(40));
    if (protocol == 132) return sctp(port());
    if (protocol != 1) return Frame(below(40), 3);
    const uint8_t kind = pick(
        {uint8_t{8}, uint8_t{0}, uint8_t{3}, uint8_t{4}, uint8_t{5}, uint8_t{11}, uint8_t{12}, uint8_t{13}});
    return icmp(kind, Ipv4{destination(), client()}.wrap(6, Frame(8, 0)));
  }
  RandomIpv6 ipv6;
  const uint8_t kPortless[4] = {47, 50, 51, 132};
  const MacAddress kTo[8] = {kClusterMac, kClusterMac, kIgmpMac,   kIgmpMac,
                             kAdapterMac, kMaskedMac,  kBroadcast, kNobody};
  const MacAddress kFrom[3] = {kClientMac, kClusterMac, kMaskedMac};
  std::mt19937_64 random_;
};

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

std::string hex(const Frame& frame) {
  std::string text;
  char two[3];
  for (const uint8_t byte : frame) text += (std::snprintf(two, sizeof two, "%02x", byte), two);
  return text;
}

// One world: a configuration and states that the three share. The oracle is told by one line.
struct World {
  bool bound, replace, lease, spent, asks;  // spent: nothing is left of the heartbeats' budgets
  bool igmp;
  uint64_t state_seed;
  [[nodiscard]] BucketState state(std::size_t slot, std::size_t bucket) const {  // repeated in oracle.py
    return static_cast<BucketState>((state_seed + slot * 7 + bucket * 2654435761U % 1000003) % 4);
  }
};

// Rules with a timeout; repeated in oracle.py.
constexpr std::array<std::size_t, 2> kExtended = {1, 2};

class Trial {
 public:
  Trial(const World& world, FILE* oracle) : oracle_(oracle), model_(configuration(world)) {
    harness().configure(configuration(world));
    harness().set_lease(world.lease ? kForever : 0);
    model_.set_lease(world.lease ? kForever : 0);
    harness().forget();
    harness().forget_visits();
    arrange_heartbeats(world);
    for (std::size_t slot = 0; slot < kMaxSlots; ++slot) {
      SlotStates states;
      for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
        states[bucket] = world.state(slot, bucket);
      harness().set_buckets(slot, states);
      model_.set_buckets(slot, states);
    }
    std::fprintf(oracle_, "world %d %d %d %d %d %d %llu\n", world.bound, world.replace, world.lease,
                 world.spent, world.asks, world.igmp, static_cast<unsigned long long>(world.state_seed));
  }
  // From now on every second bucket is kept: who has not come before counts for nothing there.
  void keep(unsigned odd) {
    for (const std::size_t slot : kExtended) {
      BucketSet kept;
      for (std::size_t bucket = (odd + slot) % 2; bucket < kBucketCount; bucket += 2) kept.set(bucket);
      VisitMemory::set_kept(harness().state().visits[slot], kept);
      model_.set_kept(slot, kept);
    }
    std::fprintf(oracle_, "keep %u\n", odd);
  }
  void begin_generation() {
    VisitMemory::begin_generation(harness().state());
    model_.begin_generation();
    std::fprintf(oracle_, "generation\n");
  }
  // What was visited since the last time: the filter's bytes, the model's clients, and the oracle's.
  [[nodiscard]] bool visits_agree() {
    const auto seen = VisitMemory::take(harness().state(), kExtended);
    std::fprintf(oracle_, "visits");
    for (const std::size_t slot : kExtended)
      for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
        if (seen[slot][bucket]) std::fprintf(oracle_, " %zu:%zu", slot, bucket);
    std::fprintf(oracle_, "\n");
    const auto wanted = model_.take_visits();
    for (const std::size_t slot : kExtended)
      for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
        if (seen[slot][bucket] != wanted[slot][bucket])
          std::printf("slot %zu bucket %zu: %s alone\n", slot, bucket,
                      seen[slot][bucket] ? "filter" : "model");
    return seen == wanted;
  }
  // True when all agree; the oracle's answer comes with its exit code.
  bool agrees(const Frame& frame) {
    const nlb_verdict verdict = model_.judge(frame, boot_now());
    std::fprintf(oracle_, "%s %s\n", verdict_name(verdict).c_str(), hex(frame).c_str());
    uint32_t by_xdp = 0, by_tc = 0;
    if (!harness().runs_to(Hook::xdp, frame, verdict, &by_xdp)) return false;
    if (!carried_by_skb(frame)) return true;
    return harness().runs_to(Hook::ingress, frame, verdict, &by_tc);
  }

 private:
  void arrange_heartbeats(const World& world) {
    HeartbeatGate& gate = harness().heartbeats();
    harness().set_budgets(world.spent);
    gate.set_keys(std::array{tag_key()});
    gate.forget_senders();
    gate.believe(kBelieved.id, kBelieved.incarnation, kBelieved.sequence);
    model_.set_heartbeat_keys({tag_key()});
    model_.believe_sender(kBelieved.id, kBelieved.incarnation, kBelieved.sequence);
    if (world.spent) model_.spend_budgets();
  }
  // The kernel's test facility refuses an skb whose Ethernet type promises a header that is not there.
  static bool carried_by_skb(const Frame& frame) { return frame.size() >= 14 + 40 && frame.size() < 3000; }
  static FilterConfig configuration(const World& world) {
    FilterConfig config = example_config();
    config.bound = world.bound;
    config.replace = world.replace;
    config.asks_tracking = world.asks;
    if (world.igmp) config.mode = ClusterMode::igmp, config.cluster_mac = kIgmpMac;
    return config;
  }
  FILE* oracle_;
  FilterModel model_;
};

TEST(RandomPackets, kernel_model_and_oracle_agree) {
  const uint64_t packets = from_environment("NLB_RANDOM_PACKETS", 200'000);
  const uint64_t seed = from_environment("NLB_RANDOM_SEED", std::random_device{}());
  constexpr uint64_t kPerPart = 900;     // between two looks at the visits
  constexpr uint64_t kPerWorld = 5'000;  // few enough that no LRU forgets a fragment
  std::printf("%llu packets, NLB_RANDOM_SEED=%llu\n", static_cast<unsigned long long>(packets),
              static_cast<unsigned long long>(seed));
  Generator generator(seed);
  FILE* oracle = popen("python3 " NLB_ORACLE, "w");
  ASSERT_NE(oracle, nullptr);
  uint64_t done = 0;
  while (done < packets) {
    const World world{!generator.chance(12), generator.chance(2), !generator.chance(6), generator.chance(2),
                      generator.chance(2),   generator.chance(3), generator.below(1000)};
    Trial trial(world, oracle);
    for (uint64_t i = 0; i < kPerWorld && done < packets; ++i, ++done) {
      if (i % kPerPart == kPerPart - 1) {
        ASSERT_TRUE(trial.visits_agree()) << "kernel and model differ about visits before packet " << done;
        i < 3 * kPerPart ? trial.keep(generator.below(2)) : trial.begin_generation();
      }
      const Frame frame = generator.frame();
      ASSERT_TRUE(trial.agrees(frame)) << "kernel and model differ at packet " << done << ": " << hex(frame);
    }
  }
  EXPECT_EQ(pclose(oracle), 0) << "the oracle disagrees; see its output";
}

}  // namespace
}  // namespace nlb::test
