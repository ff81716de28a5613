// SPDX-License-Identifier: Apache-2.0
// What one frame costs in the filter: nanoseconds by BPF_PROG_TEST_RUN, one flow, warm cache, beside an empty
// program of the same hook that is run right before, so that a busy machine slows both. A row's figure is the
// median of its rounds, its ratio the median of the ratios within a round. Run: build/bench/filter_bench
// (root). Uses the test harness, whose main() makes the network namespace.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness.hh"

namespace nlb::test {
namespace {

using Json = nlohmann::ordered_json;
constexpr uint32_t kRepeat = 100'000;
constexpr int kRounds = 9;
constexpr uint32_t kXdpDrop = 1, kTcShot = 2;  // what the empty programs return

class EmptyPrograms {
 public:
  EmptyPrograms() : object_(bpf_object__open_file(NLB_EMPTY_PROGRAM, nullptr)) {
    if (object_ != nullptr && bpf_object__load(object_) != 0) object_ = nullptr;
  }
  [[nodiscard]] uint32_t nanoseconds(Hook hook, const Frame& frame) const {
    const char* name = hook == Hook::xdp ? "empty_drop" : "empty_shot";
    const bpf_program* program =
        object_ == nullptr ? nullptr : bpf_object__find_program_by_name(object_, name);
    if (program == nullptr) return 0;
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<__u32>(frame.size());
    options.repeat = kRepeat;
    const bool run = bpf_prog_test_run_opts(bpf_program__fd(program), &options) == 0;
    return run && options.retval == (hook == Hook::xdp ? kXdpDrop : kTcShot) ? options.duration : 0;
  }

 private:
  bpf_object* object_;
};

struct Row {
  std::string name;
  Hook hook;
  Frame frame;
  BucketState state;
  std::size_t rules = 1;
  uint32_t timeout_s = 0;  // extended affinity
  uint32_t verdict;        // that it must end with, or the row measures something else
  std::vector<uint32_t> ns{}, empty_ns{};
  std::vector<double> ratios{};
};

// The rule that the frames meet stands last.
FilterConfig config_of(const Row& row) {
  FilterConfig config = example_config();
  config.rules.clear();
  for (std::size_t i = 0; i < row.rules; ++i) {
    PortRule rule;
    const bool met = i + 1 == row.rules;
    rule.first_port = rule.last_port = static_cast<uint16_t>(met ? 80 : 1000 + 10 * i);
    rule.protocol = RuleProtocol::both;
    rule.affinity = Affinity::single;
    if (met) rule.timeout_s = row.timeout_s;
    config.rules.push_back(rule);
  }
  return config;
}

void arrange(const Row& row) {
  harness().configure(config_of(row));
  harness().set_lease(kForever);
  harness().set_all_buckets(row.state);
}

Frame v4(uint8_t protocol, const Frame& payload) {
  return Ethernet{kClusterMac, kClientMac}.wrap(0x0800, Ipv4{kClient, kVip}.wrap(protocol, payload));
}
Frame v6(uint8_t protocol, const Frame& payload) {
  return Ethernet{kClusterMac, kClientMac}.wrap(0x86dd, ipv6(kClient6, kVip6, protocol, payload, 64));
}

// Each kind of packet, at both hooks.
void add_kinds(std::vector<Row>& rows, Hook hook) {
  const auto foreign = BucketState::foreign, owned = BucketState::owned, moving = BucketState::owned_checked;
  const auto add = [&](const char* name, const Frame& frame, BucketState state, uint32_t verdict) {
    rows.push_back({name, hook, frame, state, 1, 0, verdict});
  };
  const Frame segment = v4(6, tcp(40000, 80, kAck)), segment6 = v6(6, tcp(40000, 80, kAck));
  add("IPv4 TCP segment, foreign bucket: drop", segment, foreign, NLB_VERDICT_foreign);
  add("IPv4 SYN, foreign bucket: drop", v4(6, tcp(40000, 80, kSyn)), foreign, NLB_VERDICT_foreign);
  add("IPv4 UDP, foreign bucket: drop", v4(17, udp(40000, 80)), foreign, NLB_VERDICT_foreign);
  add("IPv4 TCP segment, own bucket: accept", segment, owned, NLB_VERDICT_owned);
  add("IPv4 SYN, own bucket: accept (clock)", v4(6, tcp(40000, 80, kSyn)), owned, NLB_VERDICT_owned);
  add("IPv4 UDP, own bucket: accept (clock)", v4(17, udp(40000, 80)), owned, NLB_VERDICT_owned);
  add("IPv4 segment, bucket in transition: socket lookup, none", segment, moving, NLB_VERDICT_stray);
  add("IPv6 TCP segment, foreign bucket: drop", segment6, foreign, NLB_VERDICT_foreign);
  add("IPv6 TCP segment, own bucket: accept", segment6, owned, NLB_VERDICT_owned);
  add("IPv6 SYN, own bucket: accept (clock)", v6(6, tcp(40000, 80, kSyn)), owned, NLB_VERDICT_owned);
  add("IPv4 for the host itself: pass",
      Ethernet{kAdapterMac, kClientMac}.wrap(0x0800, Ipv4{kClient, kDedicated}.wrap(6, tcp(1, 2, kAck))),
      owned, NLB_VERDICT_passed);
  add("another protocol (LLDP): pass", Ethernet{kAdapterMac, kClientMac}.wrap(0x88cc, Frame(46)), owned,
      NLB_VERDICT_passed);
}

std::vector<Row> all_rows() {
  std::vector<Row> rows;
  add_kinds(rows, Hook::xdp);
  add_kinds(rows, Hook::ingress);
  const Frame segment = v4(6, tcp(40000, 80, kAck));
  for (const std::size_t rules : {8U, 64U}) {
    const auto of = ", " + std::to_string(rules) + " rules";
    rows.push_back({"IPv4 TCP segment, foreign bucket: drop" + of, Hook::xdp, segment, BucketState::foreign,
                    rules, 0, NLB_VERDICT_foreign});
    rows.push_back({"IPv4 TCP segment, own bucket: accept" + of, Hook::xdp, segment, BucketState::owned,
                    rules, 0, NLB_VERDICT_owned});
  }
  rows.push_back({"IPv4 TCP segment, foreign bucket: drop, extended affinity", Hook::xdp, segment,
                  BucketState::foreign, 1, 600, NLB_VERDICT_foreign});
  rows.push_back({"IPv4 TCP segment, own bucket: accept, extended affinity", Hook::xdp, segment,
                  BucketState::owned, 1, 600, NLB_VERDICT_owned});
  return rows;
}

template <typename T>
T median(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Json machine() {
  utsname kernel{};
  uname(&kernel);
  std::string processor = "unknown";
  if (FILE* file = std::fopen("/proc/cpuinfo", "r"); file != nullptr) {
    char line[256];
    while (std::fgets(line, sizeof line, file) != nullptr)
      if (std::string(line).starts_with("model name"))
        processor = std::string(line).substr(13, std::string(line).size() - 14);
    std::fclose(file);
  }
  return {{"kernel", kernel.release}, {"processor", processor}};
}

// Of the program as the kernel has it: BPF instructions after the verifier, bytes of machine code.
Json size_of(const char* name, int program) {
  bpf_prog_info info{};
  __u32 length = sizeof info;
  if (bpf_obj_get_info_by_fd(program, &info, &length) != 0) return {{"program", name}};
  return {{"program", name},
          {"instructions", info.xlated_prog_len / 8},
          {"machine_code_bytes", info.jited_prog_len}};
}

void report(const std::vector<Row>& rows) {
  Json json = {{"machine", machine()},
               {"repeat", kRepeat},
               {"rounds", kRounds},
               {"programs", Json::array()},
               {"rows", Json::array()}};
  const Programs& programs = harness().programs();
  json["programs"].push_back(size_of("XDP ingress", programs.xdp()));
  json["programs"].push_back(size_of("tc ingress", programs.ingress()));
  json["programs"].push_back(size_of("tc egress", programs.egress()));
  std::printf("%-62s %5s %6s %6s %6s %6s %6s\n", "", "hook", "ns", "empty", "ratio", "least", "most");
  for (const Row& row : rows) {
    const auto [least, most] = std::minmax_element(row.ratios.begin(), row.ratios.end());
    std::printf("%-62s %5s %6u %6u %6.2f %6.2f %6.2f\n", row.name.c_str(), hook_name(row.hook),
                median(row.ns), median(row.empty_ns), median(row.ratios), *least, *most);
    json["rows"].push_back({{"name", row.name},
                            {"hook", row.hook == Hook::xdp ? "XDP" : "tc"},
                            {"rules", row.rules},
                            {"ns", median(row.ns)},
                            {"empty_ns", median(row.empty_ns)},
                            {"ratio", median(row.ratios)},
                            {"least", *least},
                            {"most", *most}});
  }
  if (FILE* file = std::fopen(NLB_BENCH_DIR "/filter.json", "w"); file != nullptr) {
    std::fprintf(file, "%s\n", json.dump(1).c_str());
    std::fclose(file);
  }
}

TEST(Filter, cost_of_a_frame) {
  const EmptyPrograms empty;
  auto rows = all_rows();
  for (const Row& row : rows) {
    arrange(row);
    ASSERT_EQ(verdict_name(harness().run(row.hook, row.frame).verdict), verdict_name(row.verdict))
        << row.name;
  }
  for (int round = 0; round < kRounds; ++round)
    for (Row& row : rows) {
      arrange(row);
      row.empty_ns.push_back(empty.nanoseconds(row.hook, row.frame));
      row.ns.push_back(harness().nanoseconds(row.hook, row.frame, kRepeat));
      ASSERT_GT(row.empty_ns.back(), 0U);
      row.ratios.push_back(static_cast<double>(row.ns.back()) / row.empty_ns.back());
    }
  report(rows);
}

}  // namespace
}  // namespace nlb::test
