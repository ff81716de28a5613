// SPDX-License-Identifier: Apache-2.0
// What one frame costs at a guarded port: nanoseconds by BPF_PROG_TEST_RUN, warm cache, and as a ratio to an
// empty tc program, with 2 ports and with 200, 2000. Run: build/bench/guard_bench (root).
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "guard/fixtures.hh"

namespace nlb::test {
namespace {

constexpr uint32_t kRepeat = 200'000;
constexpr int kRuns = 5;

struct Case {
  const char* name;
  nlb_guard_direction direction;
  nlb_guard_spoofing spoofing;
  Frame frame;
};

template <typename Run>
uint32_t median(Run run) {
  std::vector<uint32_t> runs;
  for (int i = 0; i < kRuns; ++i) runs.push_back(run());
  std::sort(runs.begin(), runs.end());
  return runs[runs.size() / 2];
}

// Neighbours that only the maps know.
void add_ports(uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t ifindex = 100'000 + i;
    MacAddress mac = kOther;
    mac.octets[3] = 1;
    mac.octets[4] = static_cast<uint8_t>(i >> 8);
    mac.octets[5] = static_cast<uint8_t>(i);
    nlb_guard_port port{};
    std::memcpy(port.mac, mac.octets.data(), 6);
    guard().set_port(ifindex, port);
    guard().set_mac({NLB_GUARD_ANY_VLAN}, mac, {ifindex, 0, NLB_GUARD_MAC_PORT, 0});
    guard().set_address({0}, IpAddress::v4(ip("10.78.0.0") + i),
                        {ifindex, 0, NLB_GUARD_ADDRESS_OWN, 0, {}, {}});
  }
}

std::vector<Case> cases() {
  const Frame own = ipv4_frame(kIp, 6, tcp(1000, 80, kAck)),
              masked = ipv4_frame(kIp, 6, tcp(1000, 80, kAck), kMasked1);
  const Frame strange = ipv4_frame(kIp, 6, tcp(1000, 80, kAck), kStrange);
  const Frame asked = arp_frame({kRequest, kOwn, kIp, kNone, kFree}, kOwn);
  const Frame told = nd_frame(kIp6, advertisement(kIp6, link_layer(kTargetOption, kOwn)));
  const Frame received = Ethernet{kOwn, kGateway}.wrap(0x0800, Ipv4{kFree, kIp}.wrap(6, tcp(1, 2, kAck)));
  const Frame to_cluster =
      Ethernet{kWebMac, kGateway}.wrap(0x0800, Ipv4{kFree, kWebVip}.wrap(6, tcp(1, 2, kAck)));
  const auto off = NLB_GUARD_SPOOFING_OFF, cluster = NLB_GUARD_SPOOFING_CLUSTER, on = NLB_GUARD_SPOOFING_ON;
  return {
      {"transmit, off, TCP", NLB_GUARD_TRANSMIT, off, own},
      {"transmit, cluster, TCP", NLB_GUARD_TRANSMIT, cluster, own},
      {"transmit, cluster, TCP from the masked MAC", NLB_GUARD_TRANSMIT, cluster, masked},
      {"transmit, on, TCP", NLB_GUARD_TRANSMIT, on, own},
      {"transmit, on, TCP from another MAC", NLB_GUARD_TRANSMIT, on, strange},
      {"transmit, off, ARP", NLB_GUARD_TRANSMIT, off, asked},
      {"transmit, off, neighbour advertisement", NLB_GUARD_TRANSMIT, off, told},
      {"transmit, off, spoofed, dropped", NLB_GUARD_TRANSMIT, off, strange},
      {"receive, off, own MAC", NLB_GUARD_RECEIVE, off, received},
      {"receive, cluster, cluster MAC", NLB_GUARD_RECEIVE, cluster, to_cluster},
      {"receive, off, cluster MAC, dropped", NLB_GUARD_RECEIVE, off, to_cluster},
  };
}

TEST(Guard, cost_of_a_frame) {
  FILE* file = std::fopen(NLB_BENCH_DIR "/guard.json", "w");
  ASSERT_NE(file, nullptr);
  std::fprintf(file, "{\"unit\": \"ns per frame\", \"repeat\": %u, \"results\": [", kRepeat);
  std::printf("%-44s %8s %8s %8s %8s %8s   ns/frame, median of %d\n", "", "empty", "2 ports", "ratio", "200",
              "2000", kRuns);
  const char* comma = "\n";
  for (const Case& one : cases()) {
    const auto arrange = [&] {
      arrange_world(one.spoofing, listed);
      guard().set_report_interval(kSecond);
    };
    const auto cost = [&] { return guard().nanoseconds(web1(), one.direction, one.frame, kRepeat); };
    const uint32_t empty = median([&] { return guard().empty_nanoseconds(web1(), one.frame, kRepeat); });
    arrange();
    const uint32_t few = median(cost);
    add_ports(200);
    const uint32_t many = median(cost);
    add_ports(2000);
    const uint32_t thousands = median(cost);
    std::printf("%-44s %8u %8u %8.1f %8u %8u\n", one.name, empty, few,
                static_cast<double>(few) / std::max(empty, 1U), many, thousands);
    std::fprintf(
        file, "%s  {\"name\": \"%s\", \"empty\": %u, \"ports_2\": %u, \"ports_200\": %u, \"ports_2000\": %u}",
        comma, one.name, empty, few, many, thousands);
    comma = ",\n";
  }
  std::fprintf(file, "\n]}\n");
  std::fclose(file);
}

}  // namespace
}  // namespace nlb::test
