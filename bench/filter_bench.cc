// SPDX-License-Identifier: Apache-2.0
// What one frame costs in the filter: nanoseconds by BPF_PROG_TEST_RUN, one flow, warm cache, beside an empty
// XDP program. Run: build/bench/filter_bench (root). Uses the test harness, whose main() makes the network
// namespace.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "harness.hh"

namespace nlb::test {
namespace {

constexpr uint32_t kRepeat = 1'000'000;
constexpr int kRuns = 5;

uint32_t empty_program(const Frame& frame) {
  static bpf_object* const object = [] {
    bpf_object* opened = bpf_object__open_file(NLB_EMPTY_PROGRAM, nullptr);
    return opened != nullptr && bpf_object__load(opened) == 0 ? opened : nullptr;
  }();
  if (object == nullptr) return 0;
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.repeat = kRepeat;
  bpf_program* program = bpf_object__find_program_by_name(object, "empty_drop");
  return bpf_prog_test_run_opts(bpf_program__fd(program), &options) == 0 ? options.duration : 0;
}

struct Measured {
  std::string name;
  std::vector<uint32_t> runs;  // ns a packet
  [[nodiscard]] uint32_t median() const { return runs[runs.size() / 2]; }
};

template <typename Run>
Measured measure(const std::string& name, Run run) {
  Measured measured{name, {}};
  for (int i = 0; i < kRuns; ++i) measured.runs.push_back(run());
  std::sort(measured.runs.begin(), measured.runs.end());
  return measured;
}

Measured filter(const std::string& name, const Frame& frame, BucketState state) {
  harness().configure(example_config());
  harness().set_lease(kForever);
  harness().set_all_buckets(state);
  return measure(name, [&] { return harness().nanoseconds(Hook::xdp, frame, kRepeat); });
}

void report(const std::vector<Measured>& all) {
  FILE* file = std::fopen(NLB_BENCH_DIR "/filter.json", "w");
  if (file != nullptr)
    std::fprintf(file, "{\"unit\": \"ns per packet\", \"repeat\": %u, \"results\": [\n", kRepeat);
  std::printf("%-44s %8s %8s %8s   ns/packet, %d runs\n", "", "median", "min", "max", kRuns);
  for (const Measured& one : all) {
    std::printf("%-44s %8u %8u %8u\n", one.name.c_str(), one.median(), one.runs.front(), one.runs.back());
    if (file == nullptr) continue;
    std::fprintf(file, "  {\"name\": \"%s\", \"median\": %u, \"min\": %u, \"max\": %u}%s\n", one.name.c_str(),
                 one.median(), one.runs.front(), one.runs.back(), &one == &all.back() ? "" : ",");
  }
  if (file != nullptr) std::fprintf(file, "]}\n"), std::fclose(file);
}

TEST(Filter, cost_of_a_frame) {
  const auto to_vip = [](uint8_t flags) {
    return Ethernet{kClusterMac, kClientMac}.wrap(0x0800, Ipv4{kClient, kVip}.wrap(6, tcp(40000, 80, flags)));
  };
  const Frame segment6 =
      Ethernet{kClusterMac, kClientMac}.wrap(0x86dd, ipv6(kClient6, kVip6, 6, tcp(40000, 80, kAck), 64));
  const Frame other =
      Ethernet{kAdapterMac, kClientMac}.wrap(0x0800, Ipv4{kClient, kDedicated}.wrap(6, tcp(1, 2, kAck)));
  std::vector<Measured> all;
  all.push_back(measure("empty XDP program, drop", [&] { return empty_program(to_vip(kAck)); }));
  all.push_back(filter("foreign bucket, drop", to_vip(kAck), BucketState::foreign));
  all.push_back(filter("own bucket, segment", to_vip(kAck), BucketState::owned));
  all.push_back(filter("own bucket, SYN (clock read)", to_vip(kSyn), BucketState::owned));
  all.push_back(
      filter("bucket in transition (socket lookup, miss)", to_vip(kAck), BucketState::owned_checked));
  all.push_back(filter("not for a VIP, pass", other, BucketState::owned));
  all.push_back(filter("IPv6, foreign bucket, drop", segment6, BucketState::foreign));
  all.push_back(filter("IPv6, own bucket, segment", segment6, BucketState::owned));
  report(all);
}

}  // namespace
}  // namespace nlb::test
