// SPDX-License-Identifier: Apache-2.0
#include "harness.hh"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <nlb/abi/heartbeat.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace nlb::test {

const char* hook_name(Hook hook) {
  return hook == Hook::xdp ? "XDP" : hook == Hook::ingress ? "tc ingress" : "tc egress";
}

std::string verdict_name(uint32_t verdict) {
  static const char* const names[] = {
#define NLB_NAME(name, action, expected, text) #name,
      NLB_VERDICTS(NLB_NAME)
#undef NLB_NAME
  };
  return verdict < NLB_VERDICT_COUNT ? names[verdict] : "none";
}

nlb_action action_of(uint32_t verdict) {
  static const nlb_action actions[] = {
#define NLB_ACTION_OF(name, action, expected, text) NLB_ACTION_##action,
      NLB_VERDICTS(NLB_ACTION_OF)
#undef NLB_ACTION_OF
  };
  return verdict < NLB_VERDICT_COUNT ? actions[verdict] : NLB_ACTION_DROP;
}

Nanos boot_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

Harness::Harness() {
  auto programs = Programs::load({});
  if (!programs) {
    std::fprintf(stderr, "%s\n", programs.error().message.c_str());
    std::abort();
  }
  programs_ = std::move(*programs);
  state_ = *SharedState::map(programs_->maps());
  heartbeats_ = std::make_unique<HeartbeatGate>(programs_->maps());
  counters_ = programs_->maps().find("nlb_counters")->second.get();
  seen_.assign(NLB_VERDICT_COUNT, 0);
}

void Harness::configure(const FilterConfig& config) {
  const auto bank = make_bank(config);
  ASSERT_TRUE(bank) << bank.error().message;
  state_.banks[0] = *bank;
  fill_port_blocks(config, state_.ports.all().first(kBlocksPerBank));
  state_.control[0].active_bank = 0;
}

void Harness::set_buckets(std::size_t slot, BucketState state) {
  std::memset(state_.buckets[slot].states, static_cast<int>(state), kBucketCount);
}

void Harness::set_buckets(std::size_t slot, const SlotStates& states) {
  for (std::size_t i = 0; i < states.size(); ++i)
    state_.buckets[slot].states[i] = static_cast<__u8>(states[i]);
}

void Harness::set_all_buckets(BucketState state) {
  for (std::size_t slot = 0; slot < kMaxSlots; ++slot) set_buckets(slot, state);
}

void Harness::forget() {
  for (const char* name : {"nlb_fragments", "nlb_resets"}) {
    const int map = programs_->maps().find(std::string_view(name))->second.get();
    char key[sizeof(nlb_fragment_key)];
    static_assert(sizeof(nlb_reset_key) <= sizeof key);
    while (bpf_map_get_next_key(map, nullptr, key) == 0) bpf_map_delete_elem(map, key);
  }
}

void Harness::forget_visits() {
  for (nlb_visit_row& row : state_.visits.all()) row = {};
  for (nlb_recall& cell : state_.recalls.all()) cell = {};
}

void Harness::set_budget(uint32_t index, bool spent) {
  const auto whole_at = static_cast<__u64>(spent ? boot_now() + 3600 * kSecond : 0);
  bpf_map_update_elem(programs_->maps().find("nlb_budgets")->second.get(), &index, &whole_at, BPF_ANY);
}

void Harness::set_budgets(bool spent) {
  for (uint32_t index = 0; index < NLB_BUDGET_COUNT; ++index) set_budget(index, spent);
}

void Harness::age_resets(Nanos by) {
  const int map = programs_->maps().find("nlb_resets")->second.get();
  nlb_reset_key key{}, next{};
  for (bool more = bpf_map_get_next_key(map, nullptr, &next) == 0; more;) {
    key = next;
    __u64 when = 0;
    bpf_map_lookup_elem(map, &key, &when);
    when -= static_cast<__u64>(by);
    bpf_map_update_elem(map, &key, &when, BPF_ANY);
    more = bpf_map_get_next_key(map, &key, &next) == 0;
  }
}

int Harness::program(Hook hook) const {
  return hook == Hook::xdp       ? programs_->xdp()
         : hook == Hook::ingress ? programs_->ingress()
                                 : programs_->egress();
}

uint64_t Harness::packets(uint32_t verdict) const {
  static std::vector<nlb_counter> by_processor(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  bpf_map_lookup_elem(counters_, &verdict, by_processor.data());
  uint64_t sum = 0;
  for (const nlb_counter& one : by_processor) sum += one.packets;
  return sum;
}

// BPF_PROG_TEST_RUN makes no skb of an IP frame without a whole IP header (or of an Ethernet header alone).
static bool too_short_for_skb(const Frame& frame) {
  return frame.size() < 14 + 20;
}

Outcome Harness::run(Hook hook, const Frame& frame) {
  Outcome outcome;
  std::vector<uint64_t> before(NLB_VERDICT_COUNT);
  for (uint32_t i = 0; i < NLB_VERDICT_COUNT; ++i) before[i] = packets(i);
  Frame out(frame.size() + 256);
  xdp_md xdp_in{}, xdp_out{};
  xdp_in.data_end = static_cast<__u32>(frame.size());  // newer kernels take it for the linear part's end
  __sk_buff skb_in{}, skb_out{};
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<__u32>(out.size());
  options.repeat = 1;
  if (hook == Hook::xdp) {
    options.ctx_in = &xdp_in;
    options.ctx_size_in = sizeof xdp_in;
    options.ctx_out = &xdp_out;
    options.ctx_size_out = sizeof xdp_out;
  } else {
    options.ctx_in = &skb_in;
    options.ctx_size_in = sizeof skb_in;
    options.ctx_out = &skb_out;
    options.ctx_size_out = sizeof skb_out;
  }
  const int error = bpf_prog_test_run_opts(program(hook), &options);
  if (error == -EINVAL && too_short_for_skb(frame)) {
    outcome.refused = true;
    return outcome;
  }
  EXPECT_EQ(error, 0) << hook_name(hook) << ": " << std::strerror(-error);
  out.resize(options.data_size_out);
  if (hook == Hook::xdp && xdp_out.data > xdp_out.data_meta) {
    const auto front = static_cast<std::ptrdiff_t>(xdp_out.data - xdp_out.data_meta);
    nlb_metadata metadata{};
    std::memcpy(&metadata, out.data(), sizeof metadata);
    outcome.handed = metadata.verdict;
    out.erase(out.begin(), out.begin() + front);
  }
  outcome.returned = options.retval;
  outcome.mark = skb_out.mark;
  outcome.frame = std::move(out);
  for (uint32_t i = 0; i < NLB_VERDICT_COUNT; ++i) {
    seen_[i] = packets(i);
    if (seen_[i] == before[i]) continue;
    EXPECT_EQ(seen_[i], before[i] + 1);
    EXPECT_EQ(outcome.verdict, uint32_t{NLB_VERDICT_COUNT}) << "two verdicts for one frame";
    outcome.verdict = i;
  }
  return outcome;
}

bool Harness::runs_to(Hook hook, const Frame& frame, uint32_t expected, uint32_t* returned) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.repeat = 1;
  if (bpf_prog_test_run_opts(program(hook), &options) != 0) return false;
  *returned = options.retval;
  const uint64_t now = packets(expected);
  const bool grew = now == seen_[expected] + 1;
  seen_[expected] = now;
  return grew;
}

uint32_t Harness::nanoseconds(Hook hook, const Frame& frame, uint32_t repeat) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.repeat = static_cast<int>(repeat);
  if (bpf_prog_test_run_opts(program(hook), &options) != 0) return 0;
  return options.duration;
}

Harness& harness() {
  static Harness one;
  return one;
}

bool fresh_network() {
  return unshare(CLONE_NEWNET) == 0 && std::system(
                                           "ip link set lo up && ip address add 10.0.0.10/32 dev lo && ip "
                                           "address add 10.0.0.99/32 dev lo && "
                                           "ip address add 2001:db8::10/128 dev lo nodad && "
                                           "ip address add 2001:db8::99/128 dev lo nodad") == 0;
}

FilterConfig example_config() {
  FilterConfig config;
  config.vips = {IpAddress::v4(kVip), IpAddress::v4(kOtherVip), kVip6, kOtherVip6};
  const auto rule = [&](uint16_t first, uint16_t last, RuleProtocol protocol, Affinity affinity) {
    PortRule made;
    made.first_port = first;
    made.last_port = last;
    made.protocol = protocol;
    made.affinity = affinity;
    config.rules.push_back(made);
    return &config.rules.back();
  };
  rule(80, 80, RuleProtocol::tcp, Affinity::none);                                        // 0
  rule(443, 443, RuleProtocol::both, Affinity::single)->timeout_s = 60;                   // 1
  rule(1000, 1999, RuleProtocol::udp, Affinity::network)->timeout_s = 600;                // 2
  rule(23, 23, RuleProtocol::tcp, Affinity::single)->mode = FilteringMode::disabled;      // 3
  rule(8080, 8081, RuleProtocol::tcp, Affinity::single)->vip = IpAddress::v4(kOtherVip);  // 4
  rule(8000, 8100, RuleProtocol::tcp, Affinity::network);                                 // 5
  rule(8090, 8090, RuleProtocol::both, Affinity::none)->vip = kOtherVip6;                 // 6
  rule(1723, 1723, RuleProtocol::tcp, Affinity::single);                                  // 7
  rule(500, 500, RuleProtocol::udp, Affinity::network);                                   // 8
  for (std::size_t i = 0; i < config.seed.size(); ++i) config.seed[i] = static_cast<uint8_t>(i);
  config.adapter_mac = kAdapterMac;
  config.cluster_mac = kClusterMac;
  config.masked_mac = kMaskedMac;
  config.dedicated_ip = IpAddress::v4(kDedicated);
  config.dedicated_ip6 = kDedicated6;
  config.reset_wait_ns = 100'000'000;
  config.bound = true;
  return config;
}

}  // namespace nlb::test

namespace {
int skip(const char* why) {
  std::printf("SKIPPED: %s\n", why);
  return 77;
}
}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (geteuid() != 0) return skip("loading BPF programs needs root");
  if (unshare(CLONE_NEWNS) != 0) return skip("no mount namespace: unshare failed");
  mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  if (!nlb::test::fresh_network()) return skip("no network namespace, or ip(8) is missing");
  return RUN_ALL_TESTS();
}
